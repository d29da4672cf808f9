//! `#[derive(Plain)]`: refuses what has no fixed layout, and writes the `unsafe impl` that its user need not.
//!
//! Invariant: the code made here is sound for every input that compiles. All fields are `Plain`; offsets, sizes and
//! discriminants are taken from the compiler; a pattern without `..` fails if a field or variant was overlooked.

mod value;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataEnum, DataStruct, DeriveInput, Error, Field, GenericParam, Generics, Index, Member, Result,
    parse_quote,
};

/// Makes a struct or a fieldless enum `Plain`, so that its values can lie in a region as they are.
///
/// A struct needs `#[repr(C)]` or `#[repr(transparent)]` and `Plain` fields; an enum `#[repr(u8)]` or another integer
/// of fixed width up to 64 bits. Type parameters get the bound `Plain`. Unions, lifetimes and enums with fields are
/// refused. The type must be `Copy`. The trait's page has examples of what does and what does not compile.
#[proc_macro_derive(Plain)]
pub fn derive_plain(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes a struct or an enum of values a `Value`, so that containers can hold it as it is.
///
/// Fields are anything that is a `Value`: plain types, `String`, `Vec<u8>`, `Option`, collections, other such types.
/// For a type `Job` it makes `JobRef<'a>`, which a guard lends, and `JobMut<'a>`, which a write guard lends to be changed
/// in place, with the same fields, each as it is lent. Type parameters, lifetimes, unions and types that contain
/// themselves are refused.
#[proc_macro_derive(Value)]
pub fn derive_value(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    value::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if let Some(lifetime) = input.generics.lifetimes().next() {
        return Err(Error::new_spanned(
            lifetime,
            "a `Plain` type borrows nothing: references mean nothing to another process",
        ));
    }
    let repr = Repr::parse(&input.attrs)?;
    let body = match &input.data {
        Data::Struct(data) => struct_body(input, data, &repr)?,
        Data::Enum(data) => enum_body(input, data, &repr)?,
        Data::Union(data) => {
            let message = "a union cannot be `Plain`: its bytes do not tell which field is valid";
            return Err(Error::new_spanned(data.union_token, message));
        }
    };
    Ok(implementation(input, &body))
}

/// The `unsafe impl` around the items of its body, and for a type without parameters a check of its alignment.
fn implementation(input: &DeriveInput, body: &TokenStream) -> TokenStream {
    let name = &input.ident;
    let generics = with_conditions(input);
    let (parameters, arguments, conditions) = generics.split_for_impl();
    let alignment = generics.params.is_empty().then(|| {
        let message = format!("a region aligns values to at most 16 bytes, `{}` wants more", name.unraw());
        quote_spanned! {at(name)=>
            const _: () = ::core::assert!(::core::mem::align_of::<#name>() <= 16, #message);
        }
    });
    quote! {
        #alignment
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        // SAFETY: PL1 to PL7 hold because they hold for each field, the layout is fixed by `repr`, and offsets, sizes
        // and discriminants are the compiler's.
        unsafe impl #parameters ::commy::Plain for #name #arguments #conditions {
            #body
        }
    }
}

/// The type's parameters, each `Plain`, and as conditions what `Plain` demands of the type and its fields: a condition
/// without parameters that does not hold is an error, told once, where a use of the field would tell it many times.
/// One with parameters would only be believed, so the body has to prove it.
fn with_conditions(input: &DeriveInput) -> Generics {
    let mut generics = input.generics.clone();
    let parameters: Vec<Ident> = generics.params.iter().filter_map(name_of).collect();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::commy::Plain));
    }
    let conditions = &mut generics.make_where_clause().predicates;
    if parameters.is_empty() {
        let condition = quote_spanned!(at(&input.ident)=> Self: ::core::marker::Copy);
        conditions.push(parse_quote!(#condition));
    }
    if let Data::Struct(data) = &input.data {
        for Field { ty, .. } in &data.fields {
            if !mentions(ty.to_token_stream(), &parameters) {
                let condition = quote_spanned!(at(ty)=> #ty: ::commy::Plain);
                conditions.push(parse_quote!(#condition));
            }
        }
    }
    generics
}

fn name_of(parameter: &GenericParam) -> Option<Ident> {
    match parameter {
        GenericParam::Type(parameter) => Some(parameter.ident.clone()),
        GenericParam::Const(parameter) => Some(parameter.ident.clone()),
        GenericParam::Lifetime(_) => None,
    }
}

fn mentions(tokens: TokenStream, names: &[Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => names.contains(&ident) || ident == "Self",
        TokenTree::Group(group) => mentions(group.stream(), names),
        _ => false,
    })
}

fn struct_body(input: &DeriveInput, data: &DataStruct, repr: &Repr) -> Result<TokenStream> {
    if !repr.is_c && !repr.is_transparent {
        let message = format!(
            "`{}` needs a layout that does not change between builds: add `#[repr(C)]` (or `#[repr(transparent)]`)",
            input.ident.unraw()
        );
        return Err(Error::new_spanned(&input.ident, message));
    }
    let name = input.ident.unraw().to_string();
    let (mut members, mut bindings, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let (mut types, mut traits) = (Vec::new(), Vec::new());
    for (index, field) in data.fields.iter().enumerate() {
        let (member, label) = match &field.ident {
            Some(ident) => (Member::Named(ident.clone()), ident.unraw().to_string()),
            None => (Member::Unnamed(Index { index: index as u32, span: at(&field.ty) }), index.to_string()),
        };
        let ty = &field.ty;
        members.push(member);
        labels.push(label);
        bindings.push(format_ident!("field_{index}"));
        types.push(ty);
        traits.push(quote_spanned!(at(ty)=> <#ty as ::commy::Plain>));
    }
    // A reference to a field of a packed struct may be misaligned; a copy is not.
    let (source, borrow) = if repr.is_packed { (quote!(*self), quote!(&)) } else { (quote!(self), quote!()) };
    Ok(quote! {
        const SCHEMA: ::commy::__private::Schema = ::commy::__private::Schema {
            name: #name,
            size: ::commy::__private::size_of::<Self>(),
            align: ::commy::__private::checked_align::<Self>(),
            kind: ::commy::__private::SchemaKind::Struct(const { &[#(
                ::commy::__private::Field {
                    name: #labels,
                    offset: ::commy::__private::offset_of!(Self, #members),
                    schema: &#traits::SCHEMA,
                },
            )*] }),
        };
        type Row = ::commy::__private::Nested;
        const ANY_BYTES: bool = true #(&& #traits::ANY_BYTES)*;
        const HAS_PADDING: bool = false #(|| #traits::HAS_PADDING)*
            || 0 #(+ ::commy::__private::size_of::<#types>())* != ::commy::__private::size_of::<Self>();

        #[inline]
        fn is_valid(bytes: &[u8]) -> bool {
            bytes.len() == ::commy::__private::size_of::<Self>()
                && (<Self as ::commy::Plain>::ANY_BYTES || (true #(
                    && ::commy::__private::field_is_valid::<#types>(
                        bytes,
                        ::commy::__private::offset_of!(Self, #members),
                    )
                )*))
        }

        #[inline]
        fn write_to(&self, bytes: &mut [u8]) {
            let Self { #(#members: #bindings),* } = #source;
            if !<Self as ::commy::Plain>::HAS_PADDING {
                return ::commy::__private::copy_bytes(self, bytes);
            }
            ::core::assert_eq!(bytes.len(), ::commy::__private::size_of::<Self>());
            #(
                #traits::write_to(
                    #borrow #bindings,
                    ::commy::__private::field_mut::<#types>(
                        bytes,
                        ::commy::__private::offset_of!(Self, #members),
                    ),
                );
            )*
        }
    })
}

fn enum_body(input: &DeriveInput, data: &DataEnum, repr: &Repr) -> Result<TokenStream> {
    for variant in &data.variants {
        if !matches!(variant.fields, syn::Fields::Unit) {
            let message = "a `Plain` enum has variants without fields; put the fields in a struct beside it";
            return Err(Error::new_spanned(&variant.fields, message));
        }
    }
    if data.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "an enum without variants has no value that could be stored"));
    }
    let integer = repr.enum_integer(input)?;
    let name = input.ident.unraw().to_string();
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let labels: Vec<_> = variants.iter().map(|variant| variant.unraw().to_string()).collect();
    let integer = quote!(::core::primitive::#integer);
    Ok(quote! {
        const SCHEMA: ::commy::__private::Schema = ::commy::__private::Schema {
            name: #name,
            size: ::commy::__private::size_of::<Self>(),
            align: ::commy::__private::checked_align::<Self>(),
            kind: ::commy::__private::SchemaKind::Enum(
                &<#integer as ::commy::Plain>::SCHEMA,
                const { &[#(
                    ::commy::__private::Variant { name: #labels, value: Self::#variants as i128 },
                )*] },
            ),
        };
        type Row = ::commy::__private::Nested;
        const ANY_BYTES: bool = false;
        const HAS_PADDING: bool = false;

        #[inline]
        fn is_valid(bytes: &[u8]) -> bool {
            match <[u8; ::commy::__private::size_of::<#integer>()] as ::core::convert::TryFrom<&[u8]>>::try_from(bytes) {
                ::core::result::Result::Ok(bytes) => {
                    let value = <#integer>::from_le_bytes(bytes);
                    false #(|| value == Self::#variants as #integer)*
                }
                ::core::result::Result::Err(_) => false,
            }
        }

        #[inline]
        fn write_to(&self, bytes: &mut [u8]) {
            match self {
                #(Self::#variants)|* => ::commy::__private::copy_bytes(self, bytes),
            }
        }
    })
}

/// The words of all `#[repr(...)]` attributes.
#[derive(Default)]
struct Repr {
    is_c: bool,
    is_transparent: bool,
    is_packed: bool,
    integer: Option<Ident>,
}

impl Repr {
    fn parse(attributes: &[Attribute]) -> Result<Repr> {
        let mut repr = Repr::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("repr")) {
            attribute.parse_nested_meta(|word| {
                if word.input.peek(syn::token::Paren) {
                    let argument;
                    syn::parenthesized!(argument in word.input);
                    argument.parse::<TokenStream>()?;
                }
                match word.path.get_ident() {
                    Some(ident) if ident == "C" => repr.is_c = true,
                    Some(ident) if ident == "transparent" => repr.is_transparent = true,
                    Some(ident) if ident == "packed" => repr.is_packed = true,
                    Some(ident) if ident != "align" && ident != "Rust" => repr.integer = Some(ident.clone()),
                    _ => {}
                }
                Ok(())
            })?;
        }
        Ok(repr)
    }

    fn enum_integer(&self, input: &DeriveInput) -> Result<&Ident> {
        const FIXED: [&str; 8] = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];
        let name = input.ident.unraw();
        match &self.integer {
            Some(integer) if FIXED.iter().any(|fixed| integer == fixed) => Ok(integer),
            Some(integer) => {
                let message = format!("`{name}` needs an integer of fixed width up to 64 bits, like `#[repr(u8)]`");
                Err(Error::new_spanned(integer, message))
            }
            None => {
                let message = format!(
                    "`{name}` needs an integer that it is stored as: add `#[repr(u8)]` (or another integer of fixed width)"
                );
                Err(Error::new_spanned(&input.ident, message))
            }
        }
    }
}

/// Errors point at these tokens, while names and lints are those of the macro.
fn at(tokens: &(impl ToTokens + Spanned)) -> Span {
    Span::call_site().located_at(tokens.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn error(input: &str) -> String {
        let input = syn::parse_str(input).expect("the test's input is an item");
        expand(&input).expect_err("this must not expand").to_string()
    }

    #[test]
    fn a_missing_layout_names_the_attribute_to_add() {
        assert!(error("struct Task { id: u64 }").contains("`Task` needs a layout"));
        assert!(error("struct Task { id: u64 }").contains("add `#[repr(C)]`"));
        assert!(error("#[repr(align(8))] struct Task(u64);").contains("add `#[repr(C)]`"));
        assert!(error("#[repr(Rust)] struct Task;").contains("add `#[repr(C)]`"));
        assert!(error("#[repr(packed(2))] struct Task { id: u64 }").contains("add `#[repr(C)]`"));
        assert!(error("enum Kind { Low, High }").contains("add `#[repr(u8)]`"));
        assert!(error("#[repr(C)] enum Kind { Low, High }").contains("add `#[repr(u8)]`"));
    }

    #[test]
    fn what_cannot_be_plain_is_refused_with_a_reason() {
        assert!(error("#[repr(C)] union Either { a: u32, b: f32 }").contains("a union cannot be `Plain`"));
        assert!(error("#[repr(C)] struct Task<'a> { id: &'a u64 }").contains("borrows nothing"));
        assert!(error("#[repr(usize)] enum Kind { Low }").contains("fixed width"));
        assert!(error("#[repr(isize)] enum Kind { Low }").contains("fixed width"));
        assert!(error("#[repr(u128)] enum Kind { Low }").contains("up to 64 bits"));
        assert!(error("#[repr(u8)] enum Kind { Low(u8) }").contains("without fields"));
        assert!(error("#[repr(u8)] enum Kind { Low {} }").contains("without fields"));
        assert!(error("enum Kind {}").contains("no value"));
    }

    #[test]
    fn all_words_of_repr_are_read() {
        let input: DeriveInput = parse_quote! {
            #[repr(C, align(8))]
            #[repr(packed(4), u16)]
            struct Task(u64);
        };
        let repr = Repr::parse(&input.attrs).expect("well-formed");
        assert!(repr.is_c && repr.is_packed && !repr.is_transparent);
        assert_eq!(repr.integer.expect("u16"), "u16");
    }
}
