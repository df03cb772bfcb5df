//! OpenKeyV, over any of its stores.

use std::sync::Arc;

use openkeyv::Value;
use openkeyv::protocol::AsyncKeyValue;

use super::Awaiting;
use crate::data::{TTL, VALUE};

/// `ALONE` for a store whose deletions of several tasks at once wait for one another for ever.
pub struct OpenKeyv<S, const ALONE: bool>(pub Arc<S>);

fn value() -> Value {
    Value::binary(VALUE.to_vec())
}

fn ttl() -> Option<f64> {
    Some(TTL.as_secs_f64())
}

impl<S: AsyncKeyValue + 'static, const ALONE: bool> Awaiting for OpenKeyv<S, ALONE> {
    const DELETES_ALONE: bool = ALONE;

    async fn get(&self, key: &str) -> bool {
        self.0.get(key, None).await.expect("openkeyv reads").is_some_and(|value| !value.is_empty())
    }

    async fn put(&self, key: &str) {
        self.0.put(key, value(), None, ttl()).await.expect("openkeyv writes");
    }

    async fn delete(&self, key: &str) -> bool {
        self.0.delete(key, None).await.expect("openkeyv deletes")
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        self.0.get_many(keys, None).await.expect("openkeyv reads").iter().flatten().count()
    }

    async fn put_many(&self, keys: &[String]) {
        let values: Vec<Value> = keys.iter().map(|_| value()).collect();
        self.0.put_many(keys, &values, None, ttl()).await.expect("openkeyv writes");
    }
}
