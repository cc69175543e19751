//! Fields of an object that nobody here asks for, packed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::OtherFields;

/// The fields of an API object that this version of eks-doctor has no name for, as the JSON text that they came as. A
/// cluster has ten thousands of RBAC objects: each as a map of values would need many times the memory.
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
