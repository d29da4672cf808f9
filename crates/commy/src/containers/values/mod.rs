//! What may stand in a container: how it is stored, lent, copied out, changed in place.

pub(in crate::containers) mod key;
pub(in crate::containers) mod nested;
pub(in crate::containers) mod option;
pub(in crate::containers) mod ordered_key;
pub(in crate::containers) mod reader;
pub(in crate::containers) mod text_mut;
pub(in crate::containers) mod value;
