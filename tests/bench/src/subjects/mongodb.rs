//! The floor of MongoDB: the client crate as it is, on the same documents.

use std::sync::Arc;

use futures_util::TryStreamExt;
use kv_core::Name;
use kv_core::formats::mongodb::encode;
use mongodb::bson::{RawDocumentBuf, doc};
use mongodb::options::{ReplaceOneModel, WriteModel};

use super::memory::now;
use super::{Awaiting, Blocking};
use crate::data::record;

/// As long as the name of the default collection; the store makes it, with its indexes.
pub const COLLECTION: &str = "floors__collection";
/// The store's own.
const DATABASE: &str = "kv-store-adapter";
const FAILED: &str = "MongoDB does it";

/// The document of a key as ours writes it.
fn document(key: &str) -> RawDocumentBuf {
    let mut document = Vec::new();
    encode(Name::new(COLLECTION, key), &record(now()), &mut document).expect("a document");
    RawDocumentBuf::from_bytes(document).expect("a document")
}

fn models(namespace: &mongodb::Namespace, keys: &[String]) -> Vec<WriteModel> {
    let model = |key: &String| {
        let replacement = mongodb::bson::Document::try_from(document(key)).expect("a document");
        ReplaceOneModel::builder()
            .namespace(namespace.clone())
            .filter(doc! { "key": key })
            .replacement(replacement)
            .upsert(true)
            .build()
            .into()
    };
    keys.iter().map(model).collect()
}

/// The client that blocks.
pub struct RawBlocking {
    client: mongodb::sync::Client,
    collection: mongodb::sync::Collection<RawDocumentBuf>,
}

impl RawBlocking {
    pub fn connect(url: &str) -> mongodb::error::Result<Arc<Self>> {
        let client = mongodb::sync::Client::with_uri_str(url)?;
        let collection = client.database(DATABASE).collection(COLLECTION);
        Ok(Arc::new(Self { client, collection }))
    }
}

impl Blocking for RawBlocking {
    fn get(&self, key: &str) -> bool {
        let found = self.collection.find_one(doc! { "key": key }).run().expect(FAILED);
        found.is_some_and(|document| !document.as_bytes().is_empty())
    }

    fn put(&self, key: &str) {
        self.collection.replace_one(doc! { "key": key }, document(key)).upsert(true).run().expect(FAILED);
    }

    fn delete(&self, key: &str) -> bool {
        self.collection.delete_one(doc! { "key": key }).run().expect(FAILED).deleted_count > 0
    }

    fn get_many(&self, keys: &[String]) -> usize {
        let found = self.collection.find(doc! { "key": { "$in": keys } }).batch_size(101).run().expect(FAILED);
        found.map(|document| document.expect(FAILED)).count()
    }

    fn put_many(&self, keys: &[String]) {
        self.client.bulk_write(models(&self.collection.namespace(), keys)).ordered(false).run().expect(FAILED);
    }
}

/// The client that awaits.
pub struct RawAsync {
    client: mongodb::Client,
    collection: mongodb::Collection<RawDocumentBuf>,
}

impl RawAsync {
    pub async fn connect(url: &str) -> mongodb::error::Result<Arc<Self>> {
        let client = mongodb::Client::with_uri_str(url).await?;
        let collection = client.database(DATABASE).collection(COLLECTION);
        Ok(Arc::new(Self { client, collection }))
    }
}

impl Awaiting for RawAsync {
    async fn get(&self, key: &str) -> bool {
        let found = self.collection.find_one(doc! { "key": key }).await.expect(FAILED);
        found.is_some_and(|document| !document.as_bytes().is_empty())
    }

    async fn put(&self, key: &str) {
        self.collection.replace_one(doc! { "key": key }, document(key)).upsert(true).await.expect(FAILED);
    }

    async fn delete(&self, key: &str) -> bool {
        self.collection.delete_one(doc! { "key": key }).await.expect(FAILED).deleted_count > 0
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        let found = self.collection.find(doc! { "key": { "$in": keys } }).batch_size(101).await.expect(FAILED);
        found.try_collect::<Vec<_>>().await.expect(FAILED).len()
    }

    async fn put_many(&self, keys: &[String]) {
        self.client.bulk_write(models(&self.collection.namespace(), keys)).ordered(false).await.expect(FAILED);
    }
}
