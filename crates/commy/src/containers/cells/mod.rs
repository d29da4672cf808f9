//! One value, and one text.

pub(in crate::containers) mod boxed;
pub(in crate::containers) mod boxed_change;
pub(in crate::containers) mod string;
pub(in crate::containers) mod string_edit;
