//! What is measured, and of whom.

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Get,
    HotGet,
    HotPut,
    Miss,
    Put,
    Delete,
    GetMany,
    PutMany,
    GetTyped,
    PutTyped,
    /// 1,000 small values, however they are put.
    Thousand,
}

impl Op {
    /// What every store does.
    pub const STORES: [Self; 6] = [Self::Get, Self::Miss, Self::Put, Self::GetMany, Self::PutMany, Self::Delete];

    /// What a store in memory does, where it matters which of its keys are at hand.
    pub const MEMORY: [Self; 10] = [
        Self::HotGet,
        Self::HotPut,
        Self::Get,
        Self::Miss,
        Self::Put,
        Self::GetMany,
        Self::PutMany,
        Self::Delete,
        Self::GetTyped,
        Self::PutTyped,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get hit",
            Self::HotGet => "get hit, hot",
            Self::HotPut => "put, hot",
            Self::Miss => "get miss",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::GetMany => "get_many(100)",
            Self::PutMany => "put_many(100)",
            Self::GetTyped => "get typed",
            Self::PutTyped => "put typed",
            Self::Thousand => "1,000 puts of 200 bytes",
        }
    }
}

/// One of those who take turns.
pub trait Subject {
    fn name(&self) -> &str;

    fn has(&self, op: Op) -> bool;

    /// Runs so many operations, beginning with the key of that number, and gives the time of one: the time that passed
    /// by all the operations of all lanes.
    fn run(&self, op: Op, start: usize, count: usize) -> f64;
}

/// A store that blocks. Values are the bytes of [`VALUE`](crate::data::VALUE) with a TTL.
pub trait Blocking: Send + Sync + 'static {
    const TYPED: bool = false;
    /// Whether the entry was there; its bytes were at hand.
    fn get(&self, key: &str) -> bool;
    fn put(&self, key: &str);
    /// Whether there was one, where the subject tells.
    fn delete(&self, key: &str) -> bool;
    /// How many were there.
    fn get_many(&self, keys: &[String]) -> usize {
        keys.iter().filter(|key| self.get(key)).count()
    }
    fn put_many(&self, keys: &[String]) {
        keys.iter().for_each(|key| self.put(key));
    }
    fn get_typed(&self, _key: &str) -> bool {
        unreachable!("not TYPED")
    }
    fn put_typed(&self, _key: &str) {
        unreachable!("not TYPED")
    }
}

/// A store that awaits; see [`Blocking`].
pub trait Awaiting: Send + Sync + 'static {
    const TYPED: bool = false;
    /// Deletions of several tasks at once never end.
    const DELETES_ALONE: bool = false;
    fn get(&self, key: &str) -> impl Future<Output = bool> + Send;
    fn put(&self, key: &str) -> impl Future<Output = ()> + Send;
    fn delete(&self, key: &str) -> impl Future<Output = bool> + Send;
    fn get_many(&self, keys: &[String]) -> impl Future<Output = usize> + Send;
    fn put_many(&self, keys: &[String]) -> impl Future<Output = ()> + Send;
    fn get_typed(&self, _key: &str) -> impl Future<Output = bool> + Send {
        async { unreachable!("not TYPED") }
    }
    fn put_typed(&self, _key: &str) -> impl Future<Output = ()> + Send {
        async { unreachable!("not TYPED") }
    }
}
