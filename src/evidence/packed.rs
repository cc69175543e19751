//! What keeps objects small of which a cluster has ten thousands: fields that nobody reads, short lists.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::OtherFields;

/// The fields of an API object that this version of eks-doctor has no name for, as JSON text: a map of values would need
/// many times the memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread(Option<Box<str>>);

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = OtherFields::deserialize(deserializer)?;
        if fields.is_empty() {
            return Ok(Self(None));
        }
        let text = serde_json::to_string(&fields).map_err(de::Error::custom)?;
        Ok(Self(Some(text.into())))
    }
}

impl Serialize for Unread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.as_deref().unwrap_or("{}");
        serde_json::from_str::<OtherFields>(text).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

/// Reads a list. `Vec` makes room for four elements at once and leaves a hole behind when it is cut to size, while
/// these lists mostly have one.
pub(super) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[T]>, D::Error> {
    List::deserialize(deserializer).map(|List(list)| list.into())
}

/// Reads a list, or `null`.
pub(super) fn optional_list<'de, T, D>(deserializer: D) -> Result<Option<Box<[T]>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(optional_vec(deserializer)?.map(Vec::into))
}

/// The same as a `Vec`.
pub(super) fn optional_vec<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<List<T>>::deserialize(deserializer).map(|list| list.map(|List(list)| list))
}

struct List<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = elements.next_element()? {
                    if list.len() < 4 {
                        list.reserve_exact(1);
                    }
                    list.push(element);
                }
                Ok(List(list))
            }
        }

        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use crate::evidence::RbacBinding;

    #[test]
    fn unread_fields_are_written_as_they_came() {
        let text = r#"{"metadata":{"name":"a","uid":"1","annotations":{"z":"é\"","a":[1,2.5,null]}},"subjects":null,"roleRef":{"kind":"Role","name":"r"},"kind":"RoleBinding"}"#;
        let binding: RbacBinding = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&binding).unwrap(), text);
        let plain = r#"{"metadata":{"name":"a"},"subjects":null,"roleRef":{"kind":"Role","name":"r"}}"#;
        let binding: RbacBinding = serde_json::from_str(plain).unwrap();
        assert_eq!(serde_json::to_string(&binding).unwrap(), plain);
    }
}
