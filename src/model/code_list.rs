//! One macro for the closed vocabularies: a Rust enum whose every value has a text, as people
//! write it, and a number, as protobufs carry it.

/// The text is none of a vocabulary's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {}; allowed: {allowed}", super::violation::Quoted(.found))]
pub struct UnknownCode {
    /// The text that was found.
    pub found: String,
    /// The texts that are allowed, comma-separated.
    pub allowed: String,
}

/// Declares an enum with `ALL`, `text()`, `code()`, `from_code()`, `Display`, `FromStr` and
/// serde by text.
macro_rules! code_list {
    ($(#[$doc:meta])* pub enum $Name:ident { $($(#[$variant_doc:meta])* $Variant:ident = $code:literal, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum $Name { $($(#[$variant_doc])* $Variant,)+ }

        impl $Name {
            /// Every value, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$Variant),+];

            /// The value as people write it.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$Variant => $text),+ }
            }

            /// The value as protobufs carry it, served and persisted: 1 or more.
            pub const fn code(self) -> i32 {
                match self { $(Self::$Variant => $code),+ }
            }

            /// The value of a code; none for 0 and for codes that aren't known.
            pub const fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$Variant),)+ _ => None }
            }

            /// Every text, comma-separated: what an error says is allowed.
            pub fn allowed() -> String {
                Self::ALL.iter().map(|value| value.text()).collect::<Vec<_>>().join(", ")
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.text())
            }
        }

        impl std::str::FromStr for $Name {
            type Err = $crate::model::code_list::UnknownCode;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$Variant),)+
                    _ => Err($crate::model::code_list::UnknownCode { found: text.to_owned(), allowed: Self::allowed() }),
                }
            }
        }

        impl TryFrom<String> for $Name {
            type Error = $crate::model::code_list::UnknownCode;

            fn try_from(text: String) -> Result<Self, <Self as TryFrom<String>>::Error> { text.parse() }
        }

        impl From<$Name> for &'static str {
            fn from(value: $Name) -> Self { value.text() }
        }
    };
}

pub(crate) use code_list;
