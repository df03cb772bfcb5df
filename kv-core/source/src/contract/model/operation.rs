//! The operations that are drawn from.

use proptest::prelude::*;

/// The names, few, so that operations meet. Collections and keys that are one text when joined are among them.
pub(super) const COLLECTIONS: [&str; 2] = ["c", "c::k"];
pub(super) const KEYS: [&str; 4] = ["k", "k::k", "kk", "\u{1F600}"];

/// What is written. Integers are common, so that increments meet them.
pub(super) const VALUES: [&str; 9] = [
    "0",
    "7",
    "-9223372036854775808",
    "\"text\"",
    "\"\"",
    "[1,2]",
    "{\"a\":null}",
    "null",
    "123456789012345678901234567890",
];

/// A name, by its places in the lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct At(pub(super) usize, pub(super) usize);

impl At {
    pub(super) fn collection(self) -> &'static str {
        COLLECTIONS[self.0]
    }

    pub(super) fn key(self) -> &'static str {
        KEYS[self.1]
    }
}

/// On what a conditional write depends.
#[derive(Debug, Clone, Copy)]
pub(super) enum On {
    Absent,
    Present,
    /// The revision that the record has, or had before its last write.
    Revision,
    Stale,
}

/// One operation. A value is a place in [`VALUES`], a TTL a number of minutes.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Put(At, usize, Option<u32>),
    PutBytes(At, Vec<u8>),
    PutIf(At, usize, On, Option<u32>),
    PutMany(usize, Vec<(usize, usize)>, Option<u32>),
    Delete(At),
    DeleteIf(At, On),
    DeleteMany(usize, Vec<usize>),
    Get(At),
    GetMany(usize, Vec<usize>),
    Increment(At, i64),
    Append(At, usize),
    Take(At),
    GetAndPut(At, usize),
    Swap(At, Option<usize>, Option<usize>),
    Update(At, Option<usize>),
    Touch(At, u32),
    ExpireAt(At, u32),
    Persist(At),
    Annotate(At, bool),
    List(usize, usize, &'static str),
    Count(usize, &'static str),
    Clear(usize, &'static str),
    Collections,
    Cull,
    Reopen,
    /// So many seconds pass.
    Wait(u32),
    /// The instant at which this entry ends comes.
    Reach(At),
    /// The instant before it comes.
    AlmostReach(At),
}

fn at() -> impl Strategy<Value = At> {
    (0..COLLECTIONS.len(), 0..KEYS.len()).prop_map(|(collection, key)| At(collection, key))
}

fn value() -> impl Strategy<Value = usize> {
    0..VALUES.len()
}

fn ttl() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![2 => Just(None), 1 => (1..4_u32).prop_map(Some)]
}

fn on() -> impl Strategy<Value = On> {
    prop_oneof![Just(On::Absent), Just(On::Present), Just(On::Revision), Just(On::Stale)]
}

fn keys() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..KEYS.len(), 0..6)
}

fn prefix() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(""), Just("k"), Just("k:"), Just("\u{1F600}"), Just("none")]
}

fn collection() -> std::ops::Range<usize> {
    0..COLLECTIONS.len()
}

/// Any one operation, those that write more often.
pub(super) fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let by = prop_oneof![Just(1_i64), Just(-3), Just(0), Just(i64::MAX), Just(i64::MIN)];
    let items = prop::collection::vec((0..KEYS.len(), value()), 0..6);
    let records = prop_oneof![
        6 => (at(), value(), ttl()).prop_map(|(at, value, ttl)| Put(at, value, ttl)),
        1 => (at(), prop::collection::vec(proptest::num::u8::ANY, 0..8)).prop_map(|(at, bytes)| PutBytes(at, bytes)),
        4 => (at(), value(), on(), ttl()).prop_map(|(at, value, on, ttl)| PutIf(at, value, on, ttl)),
        3 => (collection(), items, ttl()).prop_map(|(collection, items, ttl)| PutMany(collection, items, ttl)),
        2 => at().prop_map(Delete),
        2 => (at(), on()).prop_map(|(at, on)| DeleteIf(at, on)),
        1 => (collection(), keys()).prop_map(|(collection, keys)| DeleteMany(collection, keys)),
        2 => at().prop_map(Get),
        2 => (collection(), keys()).prop_map(|(collection, keys)| GetMany(collection, keys)),
    ];
    let changes = prop_oneof![
        3 => (at(), by).prop_map(|(at, by)| Increment(at, by)),
        2 => (at(), value()).prop_map(|(at, value)| Append(at, value)),
        2 => at().prop_map(Take),
        2 => (at(), value()).prop_map(|(at, value)| GetAndPut(at, value)),
        2 => (at(), prop::option::of(value()), prop::option::of(value())).prop_map(|(at, old, new)| Swap(at, old, new)),
        2 => (at(), prop::option::of(value())).prop_map(|(at, new)| Update(at, new)),
        2 => (at(), 1..4_u32).prop_map(|(at, minutes)| Touch(at, minutes)),
        1 => (at(), 1..4_u32).prop_map(|(at, minutes)| ExpireAt(at, minutes)),
        1 => at().prop_map(Persist),
        2 => (at(), proptest::bool::ANY).prop_map(|(at, some)| Annotate(at, some)),
    ];
    let others = prop_oneof![
        3 => (collection(), 1..5_usize, prefix()).prop_map(|(collection, limit, prefix)| List(collection, limit, prefix)),
        2 => (collection(), prefix()).prop_map(|(collection, prefix)| Count(collection, prefix)),
        1 => (collection(), prefix()).prop_map(|(collection, prefix)| Clear(collection, prefix)),
        1 => Just(Collections),
        1 => Just(Cull),
        1 => Just(Reopen),
        2 => prop_oneof![Just(1_u32), Just(30), Just(60), Just(61), Just(3600)].prop_map(Wait),
        2 => at().prop_map(Reach),
        1 => at().prop_map(AlmostReach),
    ];
    prop_oneof![5 => records, 4 => changes, 3 => others]
}
