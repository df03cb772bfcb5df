//! OpenDAL, over any of its services. It has no batches of reads or writes.

use std::sync::Arc;

use futures_util::future::join_all;
use opendal::Operator;

use super::Awaiting;
use crate::data::VALUE;

pub struct OpenDal {
    operator: Operator,
    at_once: bool,
}

impl OpenDal {
    /// Batches are one call after another: where nothing waits, and where writers wait for one lock.
    pub fn one_by_one(operator: Operator) -> Arc<Self> {
        Arc::new(Self { operator, at_once: false })
    }

    /// Batches are a hundred calls at once.
    pub fn at_once(operator: Operator) -> Arc<Self> {
        Arc::new(Self { operator, at_once: true })
    }
}

impl Awaiting for OpenDal {
    async fn get(&self, key: &str) -> bool {
        match self.operator.read(key).await {
            Ok(bytes) => !bytes.is_empty(),
            Err(error) if error.kind() == opendal::ErrorKind::NotFound => false,
            Err(error) => panic!("opendal: {error}"),
        }
    }

    async fn put(&self, key: &str) {
        self.operator.write(key, VALUE.to_vec()).await.expect("opendal writes");
    }

    async fn delete(&self, key: &str) -> bool {
        self.operator.delete(key).await.expect("opendal deletes");
        true
    }

    async fn get_many(&self, keys: &[String]) -> usize {
        if self.at_once {
            return join_all(keys.iter().map(|key| self.get(key))).await.into_iter().filter(|found| *found).count();
        }
        let mut count = 0;
        for key in keys {
            count += usize::from(self.get(key).await);
        }
        count
    }

    async fn put_many(&self, keys: &[String]) {
        if self.at_once {
            join_all(keys.iter().map(|key| self.put(key))).await;
            return;
        }
        for key in keys {
            self.put(key).await;
        }
    }
}
