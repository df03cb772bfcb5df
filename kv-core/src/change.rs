//! Changes that depend on what is there: what each means, as a pure function.

use crate::{Entry, Error, ErrorKind, Expiry, Metadata, Record, Result, Timestamp, Value, ValueRef, json};

/// One change of one record that depends on what is there.
///
/// A store makes it in one step: under its own lock, in a transaction, or by a conditional write that is tried again
/// when somebody else was first. What a change does not name (TTL, metadata, created instant) it keeps, except
/// [`Replace`](Change::Replace), which replaces the record whole.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Change<'a> {
    /// Adds to an integer; a missing one is 0.
    Increment(i64),
    /// Puts text after text, elements after a list's, bytes after bytes; a missing value becomes this one.
    Append(ValueRef<'a>),
    /// Removes the entry and answers it.
    Take,
    /// Replaces the record whole and answers the old one.
    Replace {
        /// The new value.
        value: ValueRef<'a>,
        /// When the new entry ends.
        expiry: Expiry,
        /// The new notes.
        metadata: Option<&'a Metadata>,
    },
    /// Gives a live entry another expiry, or none.
    Touch(Expiry),
    /// Gives a live entry other notes.
    Annotate(&'a Metadata),
    /// Puts `new` (`None`: removes) where the value means `expected` (`None`: where there is none).
    Swap {
        /// What must be there.
        expected: Option<ValueRef<'a>>,
        /// What takes its place.
        new: Option<ValueRef<'a>>,
    },
}

/// What a change comes to, given what is there.
#[derive(Debug)]
pub enum Decision<'a> {
    /// Leave the record as it is.
    Leave,
    /// Remove it.
    Delete,
    /// Write this in its place.
    Put(Next<'a>),
}

/// The next state of a record.
#[derive(Debug)]
pub struct Next<'a> {
    value: NextValue<'a>,
    created: Option<Timestamp>,
    expires: Option<Timestamp>,
    metadata: Option<&'a Metadata>,
    revision: u64,
}

#[derive(Debug)]
enum NextValue<'a> {
    Borrowed(ValueRef<'a>),
    Owned(Value),
}

impl Next<'_> {
    /// The record to write.
    pub fn record(&self) -> Record<'_> {
        let value = match &self.value {
            NextValue::Borrowed(value) => *value,
            NextValue::Owned(value) => value.as_ref(),
        };
        Record::new(value, self.revision)
            .with_created(self.created)
            .with_expires(self.expires)
            .with_metadata(self.metadata)
    }
}

impl<'a> Change<'a> {
    /// The operation's name, for errors.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Increment(_) => "increment",
            Self::Append(_) => "append",
            Self::Take => "take",
            Self::Replace { .. } => "get_and_put",
            Self::Touch(Expiry::Never) => "persist",
            Self::Touch(_) => "touch",
            Self::Annotate(_) => "set_metadata",
            Self::Swap { .. } => "compare_and_swap",
        }
    }

    /// Refuses a change that no record could take.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidTtl`], and [`ErrorKind::InvalidValue`] for too much metadata.
    pub fn check(&self, now: Timestamp) -> Result<()> {
        match self {
            Self::Touch(expiry) => expiry.resolve(now).map(drop),
            Self::Replace { expiry, metadata, .. } => {
                expiry.resolve(now)?;
                metadata.map_or(Ok(()), Metadata::check)
            }
            Self::Annotate(metadata) => metadata.check(),
            _ => Ok(()),
        }
    }

    /// The values that this change may write, by their encoded lengths.
    pub fn value_lengths(&self) -> impl Iterator<Item = usize> {
        let value = match self {
            Self::Append(value) | Self::Replace { value, .. } => Some(value),
            Self::Swap { new, .. } => new.as_ref(),
            _ => None,
        };
        value.map(|value| value.as_encoded().len()).into_iter()
    }

    /// What this change comes to where `current` is the live entry, at `now`, giving the record `revision`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] where what is there cannot be changed so, and those of [`check`](Self::check).
    pub fn decide<'s>(&self, current: Option<&'s Entry>, now: Timestamp, revision: u64) -> Result<Decision<'s>>
    where
        'a: 's,
    {
        let fresh = |value| Next { value, created: Some(now), expires: None, metadata: None, revision };
        // The old record with another value.
        let keeping = |entry: &'s Entry, value| Next {
            value,
            created: entry.created(),
            expires: entry.expires(),
            metadata: entry.metadata(),
            revision,
        };
        let with_value = |value| match current {
            Some(entry) => keeping(entry, NextValue::Borrowed(value)),
            None => fresh(NextValue::Borrowed(value)),
        };
        Ok(match (*self, current) {
            (Self::Increment(by), None) => Decision::Put(fresh(NextValue::Owned(Value::encode(&by)?))),
            (Self::Increment(by), Some(entry)) => {
                let sum = increment(entry.value(), by)?;
                Decision::Put(keeping(entry, NextValue::Owned(Value::encode(&sum)?)))
            }
            (Self::Append(value), None) => Decision::Put(fresh(NextValue::Borrowed(value))),
            (Self::Append(value), Some(entry)) => {
                Decision::Put(keeping(entry, NextValue::Owned(append(entry.value(), value)?)))
            }
            (Self::Take, None) | (Self::Touch(_) | Self::Annotate(_), None) => Decision::Leave,
            (Self::Take, Some(_)) => Decision::Delete,
            (Self::Replace { value, expiry, metadata }, _) => {
                Decision::Put(Next { expires: expiry.resolve(now)?, metadata, ..fresh(NextValue::Borrowed(value)) })
            }
            (Self::Touch(expiry), Some(entry)) => Decision::Put(Next {
                expires: expiry.resolve(now)?,
                ..keeping(entry, NextValue::Borrowed(entry.value()))
            }),
            (Self::Annotate(metadata), Some(entry)) => {
                Decision::Put(Next { metadata: Some(metadata), ..keeping(entry, NextValue::Borrowed(entry.value())) })
            }
            (Self::Swap { expected, new }, current) => {
                let met = match (expected, current) {
                    (None, None) => true,
                    (Some(expected), Some(entry)) => entry.value().means(expected),
                    _ => false,
                };
                match (met, new, current) {
                    (false, ..) | (true, None, None) => Decision::Leave,
                    (true, None, Some(_)) => Decision::Delete,
                    (true, Some(new), _) => Decision::Put(with_value(new)),
                }
            }
        })
    }
}

fn increment(value: ValueRef<'_>, by: i64) -> Result<i64> {
    let number: i64 = value
        .decode()
        .map_err(|_| Error::new(ErrorKind::InvalidValue, "the value is no integer between -2^63 and 2^63 - 1"))?;
    number
        .checked_add(by)
        .ok_or_else(|| Error::new(ErrorKind::InvalidValue, "the sum is no integer between -2^63 and 2^63 - 1"))
}

fn append(value: ValueRef<'_>, more: ValueRef<'_>) -> Result<Value> {
    let mismatch = || {
        Error::new(
            ErrorKind::InvalidValue,
            "append takes text after text, a list after a list, or bytes after bytes; this value and what is there differ",
        )
    };
    match (value, more) {
        (ValueRef::Bytes(value), ValueRef::Bytes(more)) => Ok(Value::from_bytes([value, more].concat())),
        (ValueRef::Json(one), ValueRef::Json(other)) => {
            if let (Ok(one), Ok(other)) = (value.decode::<String>(), more.decode::<String>()) {
                return Value::encode(&(one + &other));
            }
            // Elements are carried over as text, so that numbers keep their digits.
            let (Some(mut list), Some(more)) = (json::elements(one), json::elements(other)) else {
                return Err(mismatch());
            };
            list.extend(more);
            Value::encode(&list)
        }
        _ => Err(mismatch()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn entry(json: &str) -> Entry {
        let notes = Metadata::new().with("a", "b");
        let record = Record::new(ValueRef::Json(json.as_bytes()), 1)
            .with_created(Timestamp::from_micros(-5))
            .with_expires(Timestamp::from_micros(5))
            .with_metadata(Some(&notes));
        Entry::new(&record)
    }

    fn put(change: Change<'_>, current: Option<&Entry>) -> Entry {
        match change.decide(current, NOW, 2).unwrap() {
            Decision::Put(next) => Entry::new(&next.record()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn increment_keeps_the_record_and_refuses_what_is_no_integer() {
        let next = put(Change::Increment(2), Some(&entry("40")));
        assert_eq!(next.as_json(), Some("42"));
        assert_eq!(next.created(), Timestamp::from_micros(-5));
        assert_eq!(next.expires(), Timestamp::from_micros(5));
        assert_eq!(next.metadata().and_then(|notes| notes.get("a")), Some("b"));
        assert_eq!(next.revision(), crate::Revision::from_number(2));
        assert_eq!(put(Change::Increment(-7), None).as_json(), Some("-7"));
        for bad in ["1.5", "\"1\"", "null", "9223372036854775807", "9223372036854775808", "[1]"] {
            let error = Change::Increment(1).decide(Some(&entry(bad)), NOW, 2).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidValue, "{bad}");
        }
    }

    #[test]
    fn append_joins_like_to_like() {
        let append = |one: &str, other: &str| {
            let (current, more) = (entry(one), ValueRef::Json(other.as_bytes()));
            Change::Append(more).decide(Some(&current), NOW, 2).map(|decision| match decision {
                Decision::Put(next) => Entry::new(&next.record()).as_json().unwrap().to_owned(),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(append("\"a\"", "\"b\"").unwrap(), "\"ab\"");
        assert_eq!(
            append("[123456789012345678901234567890]", "[{},1.50]").unwrap(),
            "[123456789012345678901234567890,{},1.50]"
        );
        for (one, other) in [("1", "2"), ("[1]", "2"), ("{}", "{}"), ("\"a\"", "[\"b\"]")] {
            assert_eq!(append(one, other).unwrap_err().kind(), ErrorKind::InvalidValue, "{one} {other}");
        }
        let bytes = Entry::new(&Record::new(ValueRef::Bytes(b"ab"), 1));
        assert_eq!(put(Change::Append(ValueRef::Bytes(b"c")), Some(&bytes)).as_bytes(), Some(&b"abc"[..]));
        assert!(Change::Append(ValueRef::Json(b"1")).decide(Some(&bytes), NOW, 2).is_err());
    }

    #[test]
    fn swap_compares_by_meaning() {
        let swap = |expected: Option<&'static str>, current: Option<&Entry>| {
            let expected = expected.map(|text| ValueRef::Json(text.as_bytes()));
            let new = Some(ValueRef::Json(b"9"));
            matches!(Change::Swap { expected, new }.decide(current, NOW, 2).unwrap(), Decision::Put(_))
        };
        assert!(swap(Some("{ \"b\": 1.0, \"a\": null }"), Some(&entry("{\"a\":null,\"b\":1}"))));
        assert!(!swap(Some("1"), Some(&entry("2"))));
        assert!(!swap(None, Some(&entry("null"))), "a null is a value");
        assert!(!swap(Some("null"), None));
        assert!(swap(None, None));
        let delete = Change::Swap { expected: Some(ValueRef::Json(b"1")), new: None };
        assert!(matches!(delete.decide(Some(&entry("1")), NOW, 2).unwrap(), Decision::Delete));
    }

    #[test]
    fn touch_and_annotate_change_nothing_else() {
        let old = entry("1");
        let touched = put(Change::Touch(Expiry::Never), Some(&old));
        assert_eq!((touched.expires(), touched.created(), touched.as_json()), (None, old.created(), Some("1")));
        assert_eq!(touched.metadata(), old.metadata());
        let notes = Metadata::new();
        let bare = put(Change::Annotate(&notes), Some(&old));
        assert_eq!((bare.metadata(), bare.expires()), (None, old.expires()));
        assert!(matches!(Change::Touch(Expiry::Never).decide(None, NOW, 2).unwrap(), Decision::Leave));
    }
}
