//! `#[derive(Value)]`: structs and enums whose fields are values, and what guards lend of them.
//!
//! A struct's slot is its fields' slots one after the other; an enum's is a number that tells the variant, then the
//! variant's slots, upon each other. Both are made of `#[repr(C)]` types, so the layout is fixed.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, Result, Type, Visibility};

use super::at;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new_spanned(parameter, "a type that derives `Value` has no parameters"));
    }
    match &input.data {
        Data::Struct(data) => Ok(expand_struct(input, &data.fields)),
        Data::Enum(data) if data.variants.is_empty() => {
            Err(Error::new_spanned(&input.ident, "an enum without variants has no value that could be stored"))
        }
        Data::Enum(data) => {
            let variants =
                data.variants.iter().map(|variant| Variant { name: &variant.ident, fields: &variant.fields });
            Ok(expand_enum(input, &variants.collect::<Vec<_>>()))
        }
        Data::Union(data) => {
            let message = "a union cannot be a `Value`: its bytes do not tell which field is valid";
            Err(Error::new_spanned(data.union_token, message))
        }
    }
}

/// One field: how it is named where it is declared, bound and built, and its slot.
struct Part<'a> {
    /// `name: ` of a named field.
    label: TokenStream,
    text: Option<String>,
    visibility: &'a Visibility,
    ty: &'a Type,
    /// Name of the slot in the `Repr`, and of the field's binding.
    slot: Ident,
}

fn parts(fields: &Fields) -> Vec<Part<'_>> {
    let part = |(index, field): (usize, &'_ syn::Field)| -> (TokenStream, Option<String>, Ident) {
        let label = field.ident.as_ref().map_or_else(TokenStream::new, |name| quote!(#name:));
        (label, field.ident.as_ref().map(|name| name.unraw().to_string()), format_ident!("slot_{index}"))
    };
    fields
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let (label, text, slot) = part((index, field));
            Part { label, text, visibility: &field.vis, ty: &field.ty, slot }
        })
        .collect()
}

/// `body` in the brackets that these fields have.
fn enclosed(fields: &Fields, body: &TokenStream) -> TokenStream {
    match fields {
        Fields::Named(_) => quote!({ #body }),
        Fields::Unnamed(_) => quote!((#body)),
        Fields::Unit => TokenStream::new(),
    }
}

/// The fields, each as what `Value` lends of it.
fn lent_fields(fields: &Fields, lent: &str, with_visibility: bool) -> TokenStream {
    let lent = format_ident!("{lent}");
    let all = parts(fields).into_iter().map(|Part { label, visibility, ty, .. }| {
        let visibility = if with_visibility { quote!(#visibility) } else { quote!() };
        quote_spanned!(at(ty)=> #visibility #label <#ty as ::commy::Value>::#lent<'a>)
    });
    enclosed(fields, &quote!(#(#all),*))
}

/// Builds the fields, each by `build` from its part.
fn built(fields: &Fields, build: impl Fn(&Part<'_>) -> TokenStream) -> TokenStream {
    let all = parts(fields);
    let all = all.iter().map(|part| {
        let (label, value) = (&part.label, build(part));
        quote!(#label #value)
    });
    enclosed(fields, &quote!(#(#all),*))
}

/// An expression for what the fields read as in a schema.
fn schema(fields: &Fields) -> TokenStream {
    let all = parts(fields);
    let names = all.iter().map(|part| part.text.as_ref().map_or_else(String::new, |name| format!("{name}: ")));
    let types = all.iter().map(|part| part.ty);
    let (open, close) = if matches!(fields, Fields::Named(_)) { ("{ ", " }") } else { ("(", ")") };
    quote! {
        ::std::format!(
            "{}{}{}",
            #open,
            <[::std::string::String]>::join(
                &[#(::std::format!("{}{}", #names, <#types as ::commy::Value>::schema())),*],
                ", ",
            ),
            #close,
        )
    }
}

/// Where the slot of a field begins, in the value's slot.
type At<'a> = &'a dyn Fn(&Part<'_>) -> TokenStream;

/// What the fields own.
fn owned(fields: &Fields, place: At<'_>) -> TokenStream {
    let all = parts(fields);
    let fields = all.iter().map(|part| {
        let (ty, place) = (part.ty, place(part));
        quote! { ::commy::__private::Owned::Part { at: (#place) as u32, fields: <#ty as ::commy::Value>::OWNED } }
    });
    quote!(&[#(#fields),*])
}

fn lend(fields: &Fields, lend: &str, place: At<'_>) -> TokenStream {
    let lend = format_ident!("{lend}");
    built(fields, |part| {
        let (ty, place) = (part.ty, place(part));
        quote!(<#ty as ::commy::Value>::#lend(slot.part(#place)))
    })
}

fn take(fields: &Fields, place: At<'_>) -> TokenStream {
    built(fields, |part| {
        let (ty, place) = (part.ty, place(part));
        quote! {
            match <#ty as ::commy::Value>::take(slot.part(#place), reader)? {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => {
                    return ::core::option::Option::Some(::core::result::Result::Err(error))
                }
            }
        }
    })
}

fn is_valid(fields: &Fields, place: At<'_>) -> TokenStream {
    let all = parts(fields);
    let all = all.iter().map(|part| {
        let (ty, place) = (part.ty, place(part));
        quote!(<#ty as ::commy::Value>::is_valid(slot.part(#place), reader))
    });
    quote!(true #(&& #all)*)
}

/// Stores the fields that a pattern has bound.
fn store(fields: &Fields, place: At<'_>) -> TokenStream {
    let all = parts(fields);
    let all = all.iter().map(|part| {
        let (ty, place, binding) = (part.ty, place(part), &part.slot);
        quote_spanned!(at(ty)=>
            <#ty as ::commy::Store<#ty>>::store(#binding, context, &slot.part(#place))?;
        )
    });
    quote!(#(#all)*)
}

/// Binds each field to the name of its slot.
fn pattern(fields: &Fields) -> TokenStream {
    built(fields, |part| {
        let binding = &part.slot;
        quote!(#binding)
    })
}

/// The slots of the fields as a struct body.
fn slots(fields: &Fields) -> TokenStream {
    let all = parts(fields);
    let all = all.iter().map(|part| {
        let (ty, slot) = (part.ty, &part.slot);
        quote_spanned!(at(ty)=> #slot: <#ty as ::commy::Value>::Repr)
    });
    quote!({ #(#all),* })
}

/// The items around what structs and enums differ in.
struct Body {
    /// Declares `Repr`.
    repr: TokenStream,
    owned: TokenStream,
    any_bytes: TokenStream,
    schema: TokenStream,
    lend: TokenStream,
    lend_mut: TokenStream,
    take: TokenStream,
    is_valid: TokenStream,
    store: TokenStream,
}

fn implementation(input: &DeriveInput, lent: &TokenStream, body: &Body) -> TokenStream {
    let name = &input.ident;
    let (name_ref, name_mut) = (format_ident!("{name}Ref"), format_ident!("{name}Mut"));
    let Body { repr, owned, any_bytes, schema, lend, lend_mut, take, is_valid, store } = body;
    quote! {
        #lent

        #[automatically_derived]
        impl ::core::clone::Clone for #name_ref<'_> {
            fn clone(&self) -> Self {
                *self
            }
        }

        #[automatically_derived]
        impl ::core::marker::Copy for #name_ref<'_> {}

        #[automatically_derived]
        const _: () = {
            #repr

            impl ::commy::Value for #name {
                type Ref<'a> = #name_ref<'a>;
                type Mut<'a> = #name_mut<'a>;
                type Repr = Repr;
                type Row = ::commy::__private::Nested;
                const OWNED: &'static [::commy::__private::Owned] = #owned;
                const ANY_BYTES: bool = #any_bytes;

                fn schema() -> ::std::string::String {
                    #schema
                }

                fn lend<'a>(slot: ::commy::__private::Slot<'a>) -> #name_ref<'a> {
                    #lend
                }

                fn lend_mut<'a>(slot: ::commy::__private::Opened<'a>) -> #name_mut<'a> {
                    #lend_mut
                }

                #[allow(unused_variables)]
                fn take(
                    slot: ::commy::__private::Slot<'_>,
                    reader: &::commy::__private::Reader<'_>,
                ) -> ::core::option::Option<::commy::Result<Self>> {
                    #take
                }

                #[allow(unused_variables)]
                fn is_valid(
                    slot: ::commy::__private::Slot<'_>,
                    reader: &::commy::__private::Reader<'_>,
                ) -> bool {
                    #is_valid
                }
            }

            impl ::commy::Owning for #name {}

            impl ::commy::Store<#name> for #name {
                #[allow(unused_variables)]
                fn store(
                    &self,
                    context: &mut ::commy::__private::Context,
                    slot: &::commy::__private::SlotMut,
                ) -> ::commy::Result<()> {
                    slot.zero(::commy::__private::size_of::<Repr>());
                    #store
                    ::core::result::Result::Ok(())
                }
            }

            impl ::commy::Store<#name> for &#name {
                fn store(
                    &self,
                    context: &mut ::commy::__private::Context,
                    slot: &::commy::__private::SlotMut,
                ) -> ::commy::Result<()> {
                    <#name as ::commy::Store<#name>>::store(*self, context, slot)
                }
            }
        };
    }
}

/// `Debug` of what is lent, where all fields have it.
fn debug(name: &Ident, types: &[&Type], arms: &TokenStream) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl<'a> ::core::fmt::Debug for #name<'a>
        where
            #(<#types as ::commy::Value>::Ref<'a>: ::core::fmt::Debug,)*
        {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self { #arms }
            }
        }
    }
}

/// Prints a value that the pattern of its fields was matched with.
fn print(label: &str, fields: &Fields) -> TokenStream {
    let all = parts(fields);
    let bindings = all.iter().map(|part| &part.slot);
    match fields {
        Fields::Named(_) => {
            let names = all.iter().map(|part| part.text.clone().unwrap_or_default());
            quote!(f.debug_struct(#label)#(.field(#names, #bindings))*.finish())
        }
        Fields::Unnamed(_) => quote!(f.debug_tuple(#label)#(.field(#bindings))*.finish()),
        Fields::Unit => quote!(f.write_str(#label)),
    }
}

fn expand_struct(input: &DeriveInput, fields: &Fields) -> TokenStream {
    let (name, visibility) = (&input.ident, &input.vis);
    let label = name.unraw().to_string();
    let (name_ref, name_mut) = (format_ident!("{name}Ref"), format_ident!("{name}Mut"));
    let place = |part: &Part<'_>| {
        let slot = &part.slot;
        quote!(::commy::__private::offset_of!(Repr, #slot))
    };
    let types: Vec<&Type> = fields.iter().map(|field| &field.ty).collect();
    let (by_ref, by_mut) = (lent_fields(fields, "Ref", true), lent_fields(fields, "Mut", true));
    let (end, marker) = match fields {
        Fields::Named(_) => (quote!(), quote!()),
        _ => (quote!(;), quote!()),
    };
    // Without a field there is nothing to borrow.
    let (by_ref, by_mut, marker) = if fields.is_empty() {
        let marked = quote!((::core::marker::PhantomData<&'a ()>));
        (marked.clone(), marked, quote!((::core::marker::PhantomData)))
    } else {
        (by_ref, by_mut, marker)
    };
    let end = if fields.is_empty() { quote!(;) } else { end };
    let (ref_doc, mut_doc) = (
        format!("A [`{label}`] in a container, as a guard lends it."),
        format!("A [`{label}`] in a container, as a write guard lends it to be changed in place."),
    );
    let (shown, printed) = if fields.is_empty() {
        (quote!((_)), {
            let label = name_ref.to_string();
            quote!(f.write_str(#label))
        })
    } else {
        (pattern(fields), print(&name_ref.to_string(), fields))
    };
    let debug = debug(&name_ref, &types, &quote!(Self #shown => #printed,));
    let lent = quote! {
        #[doc = #ref_doc]
        #visibility struct #name_ref<'a> #by_ref #end

        #[doc = #mut_doc]
        #visibility struct #name_mut<'a> #by_mut #end

        #debug
    };
    let (slots, pattern, store) = (slots(fields), pattern(fields), store(fields, &place));
    let (lend_all, lend_mut, take) = match fields.is_empty() {
        true => (marker.clone(), marker, built(fields, |_| quote!())),
        false => (lend(fields, "lend", &place), lend(fields, "lend_mut", &place), take(fields, &place)),
    };
    let schema = schema(fields);
    let body = Body {
        repr: quote! {
            #[repr(C)]
            #[derive(::core::clone::Clone, ::core::marker::Copy)]
            pub struct Repr #slots
        },
        owned: owned(fields, &place),
        any_bytes: quote!(true #(&& <#types as ::commy::Value>::ANY_BYTES)*),
        schema: quote!(::std::format!("{} {}", #label, #schema)),
        lend: quote!(#name_ref #lend_all),
        lend_mut: quote!(#name_mut #lend_mut),
        take: quote!(::core::option::Option::Some(::core::result::Result::Ok(Self #take))),
        is_valid: is_valid(fields, &place),
        store: quote! {
            let Self #pattern = self;
            #store
        },
    };
    implementation(input, &lent, &body)
}

struct Variant<'a> {
    name: &'a Ident,
    fields: &'a Fields,
}

impl Variant<'_> {
    /// The struct that its slots are.
    fn slots_name(&self) -> Ident {
        format_ident!("{}Slots", self.name)
    }

    fn place(&self) -> impl Fn(&Part<'_>) -> TokenStream + use<> {
        let slots = self.slots_name();
        move |part: &Part<'_>| {
            let slot = &part.slot;
            quote! {
                (::commy::__private::offset_of!(Repr, fields) + ::commy::__private::offset_of!(#slots, #slot))
            }
        }
    }
}

fn expand_enum(input: &DeriveInput, variants: &[Variant<'_>]) -> TokenStream {
    let (name, visibility) = (&input.ident, &input.vis);
    let label = name.unraw().to_string();
    let (name_ref, name_mut) = (format_ident!("{name}Ref"), format_ident!("{name}Mut"));
    let names: Vec<&Ident> = variants.iter().map(|variant| variant.name).collect();
    let labels: Vec<String> = names.iter().map(|name| name.unraw().to_string()).collect();
    let tags: Vec<u32> = (0..variants.len() as u32).collect();
    let each = |of: &dyn Fn(&Variant<'_>) -> TokenStream| -> Vec<TokenStream> { variants.iter().map(of).collect() };
    let types: Vec<&Type> = variants.iter().flat_map(|variant| variant.fields.iter().map(|field| &field.ty)).collect();
    let (ref_doc, mut_doc) = (
        format!("A [`{label}`] in a container, as a guard lends it."),
        format!("A [`{label}`] in a container, as a write guard lends it to be changed in place."),
    );
    let by_ref = each(&|variant| lent_fields(variant.fields, "Ref", false));
    let by_mut = each(&|variant| lent_fields(variant.fields, "Mut", false));
    let patterns = each(&|variant| pattern(variant.fields));
    let printed = variants.iter().zip(&labels).map(|(variant, label)| print(label, variant.fields));
    let debug = debug(
        &name_ref,
        &types,
        &quote!(#(Self::#names #patterns => #printed,)* Self::__Borrowed(never, _) => match *never {}),
    );
    let docs = labels.iter().map(|variant| format!("See [`{label}::{variant}`]."));
    let docs: Vec<String> = docs.collect();
    let lent = quote! {
        #[doc = #ref_doc]
        #visibility enum #name_ref<'a> {
            #(#[doc = #docs] #names #by_ref,)*
            #[doc(hidden)]
            __Borrowed(::core::convert::Infallible, ::core::marker::PhantomData<&'a ()>),
        }

        #[doc = #mut_doc]
        #visibility enum #name_mut<'a> {
            #(#[doc = #docs] #names #by_mut,)*
            #[doc(hidden)]
            __Borrowed(::core::convert::Infallible, ::core::marker::PhantomData<&'a ()>),
        }

        #debug
    };
    let slots_names: Vec<Ident> = variants.iter().map(Variant::slots_name).collect();
    let slots = each(&|variant| slots(variant.fields));
    let owned = each(&|variant| owned(variant.fields, &variant.place()));
    let schemas = each(&|variant| schema(variant.fields));
    let lend_all = each(&|variant| lend(variant.fields, "lend", &variant.place()));
    let lend_mut = each(&|variant| lend(variant.fields, "lend_mut", &variant.place()));
    let take = each(&|variant| take(variant.fields, &variant.place()));
    let is_valid = each(&|variant| is_valid(variant.fields, &variant.place()));
    let store = each(&|variant| store(variant.fields, &variant.place()));
    let unknown = quote!(::core::unreachable!("a value that was validated has a variant"));
    let body = Body {
        repr: quote! {
            #(
                #[repr(C)]
                #[derive(::core::clone::Clone, ::core::marker::Copy)]
                struct #slots_names #slots
            )*

            #[repr(C)]
            #[derive(::core::clone::Clone, ::core::marker::Copy)]
            #[allow(non_snake_case)]
            union Variants {
                #(#names: #slots_names,)*
            }

            #[repr(C)]
            #[derive(::core::clone::Clone, ::core::marker::Copy)]
            pub struct Repr {
                tag: u64,
                fields: Variants,
            }
        },
        owned: quote!(&[#(
            ::commy::__private::Owned::When { at: 0, value: #tags, fields: #owned },
        )*]),
        any_bytes: quote!(false),
        schema: quote! {
            ::std::format!(
                "{} {{ {} }}",
                #label,
                <[::std::string::String]>::join(&[#(::std::format!("{} = {}", #labels, #schemas)),*], ", "),
            )
        },
        lend: quote! {
            match slot.tag() {
                #(#tags => #name_ref::#names #lend_all,)*
                _ => #unknown,
            }
        },
        lend_mut: quote! {
            match slot.slot().tag() {
                #(#tags => #name_mut::#names #lend_mut,)*
                _ => #unknown,
            }
        },
        take: quote! {
            ::core::option::Option::Some(match slot.tag() {
                #(#tags => ::core::result::Result::Ok(Self::#names #take),)*
                _ => ::core::result::Result::Err(::commy::__private::invalid()),
            })
        },
        is_valid: quote! {
            match slot.tag() {
                #(#tags => #is_valid,)*
                _ => false,
            }
        },
        store: quote! {
            match self {
                #(Self::#names #patterns => {
                    #store
                    slot.put_tag(#tags);
                })*
            }
        },
    };
    implementation(input, &lent, &body)
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
    fn what_cannot_be_a_value_is_refused_with_a_reason() {
        assert!(error("struct Job<T> { item: T }").contains("no parameters"));
        assert!(error("struct Job<'a> { name: &'a str }").contains("no parameters"));
        assert!(error("union Either { a: u32, b: f32 }").contains("a union cannot be a `Value`"));
        assert!(error("enum Never {}").contains("no value"));
    }
}
