//! Options of get-or-insert.

use std::time::Duration;

use sha1::{Digest, Sha1};

use crate::{Condition, Error, ErrorKind, Name, PutOptions, Result, Ttl};

/// The collection that leases stand in.
pub const LEASES: &str = "kv:leases";

/// Options of get-or-insert: how the computed value is written, and whether other processes are waited for.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kv_core::InsertOptions;
///
/// let options = InsertOptions::ttl(Duration::from_secs(60)).with_lease(Duration::from_secs(10));
/// assert_eq!(options.lease, Some(Duration::from_secs(10)));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct InsertOptions {
    /// How the computed value is written. The condition must be [`Condition::Always`].
    pub put: PutOptions,
    /// How long a lease in the store holds others off, if one is taken: longer than the computation takes, and no
    /// longer than others shall wait for a process that died in it.
    pub lease: Option<Duration>,
}

impl InsertOptions {
    /// For an entry that ends after so long: a [`Duration`], or a number of seconds.
    pub fn ttl(ttl: impl Into<Ttl>) -> Self {
        Self::default().with_put(PutOptions::ttl(ttl))
    }

    /// With this way to write the value.
    #[must_use]
    pub fn with_put(mut self, put: PutOptions) -> Self {
        self.put = put;
        self
    }

    /// With a lease in the store, of so long.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Refuses a condition.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`].
    pub fn check(&self) -> Result<()> {
        if self.put.condition == Condition::Always {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidArgument, "get-or-insert takes no condition: it writes what it found missing"))
    }
}

/// The key of the lease for this record, in [`LEASES`]: of a length that every store takes, and for no two records the
/// same.
pub fn lease_key(name: Name<'_>) -> String {
    const LONGEST: usize = 120;
    let plain = format!("{}:{}/{}", name.collection.len(), name.collection, name.key);
    if plain.len() <= LONGEST {
        return plain;
    }
    let digest = Sha1::digest(plain.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha1:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_has_a_lease_of_its_own() {
        let long = "x".repeat(2048);
        let names = [("a", "b/c"), ("a/b", "c"), ("1:a", "b"), ("1", "a/b"), (&long, "a"), ("a", &long), (&long, "b")];
        let keys: Vec<String> = names.iter().map(|(collection, key)| lease_key(Name::new(collection, key))).collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(key.len() <= 120 && !keys[..index].contains(key), "{key}");
        }
        assert_eq!(keys[0], "1:a/b/c");
    }

    #[test]
    fn a_condition_is_refused() {
        let options = InsertOptions::default().with_put(PutOptions::default().with_condition(Condition::IfAbsent));
        assert_eq!(options.check().unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert!(InsertOptions::ttl(1.0).check().is_ok());
    }
}
