//! Writing.

use serde::Serialize;
use serde::de::DeserializeOwned;

use kv_core::{
    Change, Codec, Condition, Expiry, Metadata, PutItem, PutOptions, PutOutcome, Result, Revision, SCHEMA_NOTE, Ttl,
    Written,
};

use super::TypedCollection;
use crate::collection::unconditional;

/// Writing.
#[maybe_async::maybe_async]
impl<T: Serialize + DeserializeOwned + Send + Sync, C: Codec> TypedCollection<T, C> {
    /// Writes a permanent entry in place of whatever was there.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](kv_core::ErrorKind::InvalidValue) if the codec cannot write the value;
    /// [`TooLarge`](kv_core::ErrorKind::TooLarge).
    pub async fn put(&self, key: &str, value: &T) -> Result<Written> {
        let outcome = self.put_with(key, value, &self.collection.writing()).await?;
        unconditional(outcome)
    }

    /// Writes an entry with a TTL, metadata or a condition.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put), and [`InvalidTtl`](kv_core::ErrorKind::InvalidTtl).
    pub async fn put_with(&self, key: &str, value: &T, options: &PutOptions) -> Result<PutOutcome> {
        let encoded = self.encode(key, value, "put")?;
        if !self.shape.is_versioned() {
            return self.collection.put_value(key, self.value(&encoded), options).await;
        }
        let options = self.noted(options);
        self.collection.put_value(key, self.value(&encoded), &options).await
    }

    /// Writes entries with one round trip, or the fewest that the backend allows; see
    /// [`Collection::put_many`](crate::Collection::put_many).
    ///
    /// # Errors
    ///
    /// Those of [`put_with`](Self::put_with). What fails for one record alone fails at its position.
    pub async fn put_many<K: AsRef<str> + Sync>(
        &self,
        items: &[(K, T)],
        options: &PutOptions,
    ) -> Result<Vec<Result<Written>>> {
        let mut encoded = Vec::with_capacity(items.len() * 64);
        let mut ends = Vec::with_capacity(items.len());
        for (key, value) in items {
            let answer = self.shape.encode(value, &mut encoded);
            answer.map_err(|error| error.during("put_many").at(self.collection.at(key.as_ref())))?;
            ends.push(encoded.len());
        }
        let mut start = 0;
        let mut encoded_items = Vec::with_capacity(items.len());
        for ((key, _), end) in items.iter().zip(ends) {
            encoded_items.push(PutItem::new(key.as_ref(), self.value(&encoded[start..end])));
            start = end;
        }
        self.collection.put_items(&encoded_items, &self.noted(options)).await
    }

    /// Writes a permanent entry where there is none; answers whether it did.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put).
    pub async fn put_if_absent(&self, key: &str, value: &T) -> Result<Option<Written>> {
        self.put_if(key, value, Condition::IfAbsent).await
    }

    /// Writes a permanent entry in place of a live one; answers whether there was one.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put).
    pub async fn put_if_present(&self, key: &str, value: &T) -> Result<Option<Written>> {
        self.put_if(key, value, Condition::IfPresent).await
    }

    /// Writes a permanent entry in place of one in this state; answers whether it was in it.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put).
    pub async fn put_if_revision(&self, key: &str, value: &T, revision: &Revision) -> Result<Option<Written>> {
        self.put_if(key, value, Condition::IfRevision(revision.clone())).await
    }

    async fn put_if(&self, key: &str, value: &T, condition: Condition) -> Result<Option<Written>> {
        let outcome = self.put_with(key, value, &self.collection.writing().with_condition(condition)).await?;
        Ok(outcome.written())
    }

    /// Removes an entry; answers whether there was a live one.
    ///
    /// # Errors
    ///
    /// None of its own: a record that cannot be read is removed too.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        self.collection.delete(key).await
    }

    /// Removes entries; answers how many live ones there were. Double keys count once.
    ///
    /// # Errors
    ///
    /// Those of [`Collection::delete_many`](crate::Collection::delete_many).
    pub async fn delete_many(&self, keys: &[impl AsRef<str> + Sync]) -> Result<u64> {
        self.collection.delete_many(keys).await
    }

    /// Removes an entry and answers its value: of many that take one key at the same time, one gets it.
    ///
    /// # Errors
    ///
    /// [`Decode`](kv_core::ErrorKind::Decode) if the value does not fit the type; it is removed all the same.
    pub async fn take(&self, key: &str) -> Result<Option<T>> {
        let entry = self.collection.take_entry(key).await?;
        self.decode(key, entry.as_ref(), "take")
    }

    /// Replaces an entry by a permanent one and answers the old value.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put), and [`Decode`](kv_core::ErrorKind::Decode) if the old value does not fit the type;
    /// it is replaced all the same.
    pub async fn get_and_put(&self, key: &str, value: &T) -> Result<Option<T>> {
        let encoded = self.encode(key, value, "get_and_put")?;
        let notes = self.shape.noted(Metadata::new());
        let metadata = (!notes.is_empty()).then_some(&notes);
        let change = Change::Replace { value: self.value(&encoded), expiry: Expiry::Never, metadata };
        let modified = self.collection.modify(key, &change).await?;
        self.decode(key, modified.before.as_ref(), "get_and_put")
    }

    /// Changes a value by a function of what is there (`None`: no entry) to what shall be there (`None`: no entry), and
    /// answers what is there now. The function may be called several times, when others write at the same time. TTL and
    /// metadata stay as they were, unless the value did not fit and that counts as missing.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`put`](Self::put), and [`Contended`](kv_core::ErrorKind::Contended) where
    /// others write all the time.
    pub async fn update(&self, key: &str, mut change: impl FnMut(Option<T>) -> Option<T> + Send) -> Result<Option<T>> {
        self.collection
            .replace(key, |before| {
                let old = self.decode(key, before, "update")?;
                let kept = before.filter(|_| old.is_some());
                let Some(new) = change(old) else { return Ok(None) };
                let options = kept.map_or_else(PutOptions::default, |entry| PutOptions::of_record(&entry.record()));
                let value = self.value(&self.encode(key, &new, "update")?).to_value();
                Ok(Some((value, self.noted(&options), new)))
            })
            .await
    }

    /// Gives a live entry another TTL, its value untouched; answers whether there was one.
    ///
    /// # Errors
    ///
    /// [`InvalidTtl`](kv_core::ErrorKind::InvalidTtl).
    pub async fn touch(&self, key: &str, ttl: impl Into<Ttl> + Send) -> Result<bool> {
        self.collection.touch(key, ttl).await
    }

    /// Makes a live entry permanent; answers whether there was one.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub async fn persist(&self, key: &str) -> Result<bool> {
        self.collection.persist(key).await
    }

    /// Gives a live entry these notes in place of its old ones, its value and the note of its version untouched;
    /// answers whether there was one.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](kv_core::ErrorKind::InvalidValue) for too much metadata.
    pub async fn set_metadata(&self, key: &str, metadata: &Metadata) -> Result<bool> {
        if !self.shape.is_versioned() {
            return self.collection.set_metadata(key, metadata).await;
        }
        let answer = self
            .collection
            .replace(key, |before| {
                let Some(entry) = before else { return Ok(None) };
                let version = entry.metadata().and_then(|notes| notes.get(SCHEMA_NOTE));
                let notes = self.shape.unnoted(metadata.clone());
                let notes = match version {
                    Some(version) => notes.with(SCHEMA_NOTE, version),
                    None => notes,
                };
                let options = PutOptions::of_record(&entry.record()).with_metadata(notes);
                Ok(Some((entry.value().to_value(), options, ())))
            })
            .await?;
        Ok(answer.is_some())
    }
}
