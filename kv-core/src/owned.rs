//! Names, keys and changes that own what they say, for work that is done on another thread.

use crate::{Change, Expiry, Metadata, Name, Value, ValueRef};

/// A [`Name`] that owns what it says, in one allocation.
///
/// # Examples
///
/// ```
/// use kv_core::{Name, OwnedName};
///
/// let name = OwnedName::new(Name::new("users", "alice"));
/// let length = std::thread::spawn(move || name.get().key.len()).join().unwrap();
/// assert_eq!(length, 5);
/// ```
#[derive(Debug, Clone)]
pub struct OwnedName {
    text: Box<str>,
    middle: usize,
}

impl OwnedName {
    /// The same name.
    pub fn new(name: Name<'_>) -> Self {
        let mut text = String::with_capacity(name.collection.len() + name.key.len());
        text.push_str(name.collection);
        text.push_str(name.key);
        Self { text: text.into_boxed_str(), middle: name.collection.len() }
    }

    /// The name, borrowed.
    pub fn get(&self) -> Name<'_> {
        let (collection, key) = self.text.split_at(self.middle);
        Name::new(collection, key)
    }
}

/// Keys of one collection, in two allocations.
///
/// # Examples
///
/// ```
/// use kv_core::OwnedKeys;
///
/// let keys = OwnedKeys::new("users", ["alice", "bob"].into_iter());
/// assert_eq!(keys.collection(), "users");
/// assert_eq!((keys.len(), keys.iter().collect::<Vec<_>>()), (2, vec!["alice", "bob"]));
/// ```
#[derive(Debug, Clone)]
pub struct OwnedKeys {
    text: String,
    collection: usize,
    ends: Vec<usize>,
}

impl OwnedKeys {
    /// These keys of this collection.
    pub fn new<'k>(collection: &str, keys: impl ExactSizeIterator<Item = &'k str> + Clone) -> Self {
        let mut text = String::with_capacity(collection.len() + keys.clone().map(str::len).sum::<usize>());
        text.push_str(collection);
        let mut ends = Vec::with_capacity(keys.len());
        for key in keys {
            text.push_str(key);
            ends.push(text.len());
        }
        Self { text, collection: collection.len(), ends }
    }

    /// Their collection.
    pub fn collection(&self) -> &str {
        &self.text[..self.collection]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The keys, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = self.collection;
        self.ends.iter().map(move |end| &self.text[std::mem::replace(&mut start, *end)..*end])
    }
}

/// A [`Change`] that owns what it says. Its `Debug` form shows no value.
///
/// # Examples
///
/// ```
/// use kv_core::{Change, OwnedChange};
///
/// let change = OwnedChange::new(&Change::Increment(2));
/// assert_eq!(change.get().operation(), "increment");
/// ```
#[derive(Debug, Clone)]
pub struct OwnedChange(Parts);

#[derive(Debug, Clone)]
enum Parts {
    Increment(i64),
    Append(Value),
    Take,
    Replace { value: Value, expiry: Expiry, metadata: Option<Metadata> },
    Touch(Expiry),
    Annotate(Metadata),
    Swap { expected: Option<Value>, new: Option<Value> },
}

impl OwnedChange {
    /// The same change.
    pub fn new(change: &Change<'_>) -> Self {
        let own = |value: &Option<ValueRef<'_>>| value.map(ValueRef::to_value);
        Self(match change {
            Change::Increment(by) => Parts::Increment(*by),
            Change::Append(value) => Parts::Append(value.to_value()),
            Change::Take => Parts::Take,
            Change::Replace { value, expiry, metadata } => {
                Parts::Replace { value: value.to_value(), expiry: *expiry, metadata: metadata.cloned() }
            }
            Change::Touch(expiry) => Parts::Touch(*expiry),
            Change::Annotate(metadata) => Parts::Annotate((*metadata).clone()),
            Change::Swap { expected, new } => Parts::Swap { expected: own(expected), new: own(new) },
        })
    }

    /// The change, borrowed.
    pub fn get(&self) -> Change<'_> {
        match &self.0 {
            Parts::Increment(by) => Change::Increment(*by),
            Parts::Append(value) => Change::Append(value.as_ref()),
            Parts::Take => Change::Take,
            Parts::Replace { value, expiry, metadata } => {
                Change::Replace { value: value.as_ref(), expiry: *expiry, metadata: metadata.as_ref() }
            }
            Parts::Touch(expiry) => Change::Touch(*expiry),
            Parts::Annotate(metadata) => Change::Annotate(metadata),
            Parts::Swap { expected, new } => {
                Change::Swap { expected: expected.as_ref().map(Value::as_ref), new: new.as_ref().map(Value::as_ref) }
            }
        }
    }
}
