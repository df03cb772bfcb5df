//! A driver that is wrong in one way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kv_core::Decision;
use kv_source::stores::SimpleDriver;
use kv_source::{
    Atomicity, CallOptions, Change, Condition, Context, Cursor, DeleteOutcome, Description, Driver, Entry, Error,
    ErrorKind, KeyFilter, ListOptions, Listed, Modified, Name, Page, PutOutcome, Record, Result, Revision, Timestamp,
    Value, Written,
};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is: the control.
    Nothing,
    JoinsNames,
    FoldsCase,
    CutsNames,
    LeavesItsSpace,
    ParsesNumbers,
    TakesEmptyForAbsent,
    RoundsInstantsDown,
    ListsExpired,
    DeletesExpired,
    MeetsExpired,
    KeepsTheOldTtl,
    FreesNothing,
    LosesMetadataOnTouch,
    AnswersOutOfOrder,
    TheFirstOfDoubleKeysWins,
    CountsDoubleDeletes,
    LosesALineOfAPage,
    ListsByOffset,
    ExceedsTheLimit,
    ClearsNeighbours,
    HidesABatchBehindOneRecord,
    MissesForOutage,
    MissesForDamage,
    RepeatsRevisions,
    IgnoresRevisions,
    ModifiesInTwoSteps,
    WrapsAround,
    ReEncodes,
    ForgetsCreated,
    ConflictsAreErrors,
    ShowsValues,
    SaysItHasNoConditions,
    DoesNothingSilently,
}

use Fault::*;

#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) inner: Arc<SimpleDriver>,
    pub(crate) fault: Fault,
    pub(crate) cut_off: Arc<AtomicBool>,
}

pub(crate) const DAMAGED: &[u8] = b"\"damaged\"";

/// Before every expiry, so that nothing has ended.
fn before_all(mut cx: Context<'_>) -> Context<'_> {
    cx.now = Timestamp::MIN;
    cx
}

/// Who has read and not written yet.
static BETWEEN: AtomicUsize = AtomicUsize::new(0);

/// Waits, for a while, until somebody else has read too and not written yet: two that do have lost an update.
fn meet_another() {
    let start = Instant::now();
    BETWEEN.fetch_add(1, Ordering::SeqCst);
    while BETWEEN.load(Ordering::SeqCst) < 2 && start.elapsed() < Duration::from_millis(20) {
        std::hint::spin_loop();
    }
    // Until the other has seen it.
    while start.elapsed() < Duration::from_millis(2) {
        std::hint::spin_loop();
    }
    BETWEEN.fetch_sub(1, Ordering::SeqCst);
}

impl Wrong {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// The names that it stores under.
    fn place(&self, name: Name<'_>) -> (String, String) {
        let key = match self.fault {
            JoinsNames => return ("all".to_owned(), format!("{}::{}", name.collection, name.key)),
            FoldsCase => name.key.to_lowercase(),
            CutsNames => name.key.chars().take(255).collect(),
            _ => name.key.to_owned(),
        };
        (name.collection.to_owned(), key)
    }

    fn reach(&self) -> Result<()> {
        if self.cut_off.load(Ordering::SeqCst) { Err(Error::new(ErrorKind::Connection, "refused")) } else { Ok(()) }
    }

    /// What it makes of a record that it read.
    fn read(&self, entry: Option<Entry>) -> Result<Option<Entry>> {
        let Some(entry) = entry else { return Ok(None) };
        if entry.value().as_encoded() == DAMAGED {
            let missing = self.is(MissesForDamage);
            return if missing { Ok(None) } else { Err(Error::new(ErrorKind::Corrupted, "the record is damaged")) };
        }
        if self.is(ShowsValues) && !entry.value().is_json() {
            return Err(Error::new(
                ErrorKind::Decode,
                String::from_utf8_lossy(entry.value().as_encoded()).into_owned(),
            ));
        }
        let empty = matches!(entry.value().as_encoded(), b"null" | b"" | b"\"\"");
        Ok(Some(entry).filter(|_| !(empty && self.is(TakesEmptyForAbsent))))
    }
}

#[maybe_async::maybe_async(AFIT)]
impl Driver for Wrong {
    const KIND: &'static str = "Wrong";

    fn describe(&self) -> Description {
        let mut description = self.inner.describe();
        if self.is(SaysItHasNoConditions) {
            description.capabilities.conditional = Atomicity::Unsupported;
        }
        if self.is(DoesNothingSilently) {
            description.capabilities.cull = false;
        }
        description
    }

    async fn setup(&self) -> Result<()> {
        self.reach()
    }

    async fn get(&self, name: Name<'_>, head: bool, call: &CallOptions) -> Result<Option<Entry>> {
        if self.is(MissesForOutage) && self.reach().is_err() {
            return Ok(None);
        }
        self.reach()?;
        let (collection, key) = self.place(name);
        let found = self.inner.get(Name::new(&collection, &key), head, call).await?;
        self.read(found)
    }

    async fn get_many(
        &self,
        collection: &str,
        keys: &[&str],
        head: bool,
        call: &CallOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let mut keys = keys.to_vec();
        if self.is(AnswersOutOfOrder) {
            keys.sort_unstable();
        }
        let mut answers = Vec::new();
        for key in keys {
            let answer = self.get(Name::new(collection, key), head, call).await;
            match answer {
                Err(error) if self.is(HidesABatchBehindOneRecord) => return Err(error),
                Err(error) if error.kind() != ErrorKind::Corrupted => return Err(error),
                answer => answers.push(answer),
            }
        }
        Ok(answers)
    }

    async fn put(
        &self,
        name: Name<'_>,
        record: &Record<'_>,
        condition: &Condition,
        cx: Context<'_>,
    ) -> Result<PutOutcome> {
        self.reach()?;
        let (collection, key) = self.place(name);
        let name = Name::new(&collection, &key);
        let mut record = *record;
        let mut condition = condition.clone();
        let parsed = match record.value.decode::<serde_json::Value>() {
            Ok(value) if self.is(ParsesNumbers) => Value::encode(&value)?,
            _ => record.value.to_value(),
        };
        record.value = parsed.as_ref();
        match self.fault {
            RoundsInstantsDown => {
                let whole = |instant: Timestamp| Timestamp::from_micros(instant.as_micros() / 1_000_000 * 1_000_000);
                record.expires = record.expires.and_then(whole);
            }
            KeepsTheOldTtl => {
                let old = self.inner.get(name, true, &CallOptions::default()).await?;
                record.expires = record.expires.or(old.and_then(|entry| entry.expires()));
            }
            RepeatsRevisions => record.revision = 7,
            IgnoresRevisions if matches!(condition, Condition::IfRevision(_)) => condition = Condition::IfPresent,
            ForgetsCreated => record.created = None,
            _ => {}
        }
        let cx = if self.is(MeetsExpired) { before_all(cx) } else { cx };
        let outcome = self.inner.put(name, &record, &condition, cx).await?;
        if self.is(ConflictsAreErrors) && !outcome.is_written() {
            return Err(Error::new(ErrorKind::Backend, "a conflict"));
        }
        Ok(outcome)
    }

    async fn put_many(
        &self,
        collection: &str,
        records: &[(&str, Record<'_>)],
        cx: Context<'_>,
    ) -> Result<Vec<Result<Written>>> {
        let mut written = BTreeSet::new();
        let mut answers = Vec::new();
        for (key, record) in records {
            let answer = Written::new(Revision::from_number(record.revision), record.expires);
            if self.is(TheFirstOfDoubleKeysWins) && !written.insert(*key) {
                answers.push(Ok(answer));
                continue;
            }
            let outcome = self.put(Name::new(collection, key), record, &Condition::Always, cx).await?;
            answers.push(Ok(outcome.written().unwrap_or(answer)));
        }
        Ok(answers)
    }

    async fn delete(&self, name: Name<'_>, condition: &Condition, cx: Context<'_>) -> Result<DeleteOutcome> {
        self.reach()?;
        let (collection, key) = self.place(name);
        let cx = if self.is(DeletesExpired) { before_all(cx) } else { cx };
        self.inner.delete(Name::new(&collection, &key), condition, cx).await
    }

    async fn delete_many(&self, collection: &str, keys: &[&str], cx: Context<'_>) -> Result<Vec<Result<bool>>> {
        let mut there = Vec::new();
        for key in keys {
            let entry = self.get(Name::new(collection, key), true, &CallOptions::default()).await;
            there.push(matches!(&entry, Ok(Some(entry)) if !cx.has_ended(entry.expires())));
        }
        let mut answers = Vec::new();
        for (key, was_there) in keys.iter().zip(there) {
            let outcome = self.delete(Name::new(collection, key), &Condition::Always, cx).await?;
            answers.push(Ok(outcome == DeleteOutcome::Deleted || (self.is(CountsDoubleDeletes) && was_there)));
        }
        Ok(answers)
    }

    async fn ping(&self, _cx: Context<'_>) -> Result<()> {
        self.reach()
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }

    async fn modify(&self, name: Name<'_>, change: &Change<'_>, cx: Context<'_>) -> Result<Modified> {
        let condition_of = |entry: Option<&Entry>| match entry {
            _ if self.is(ModifiesInTwoSteps) => Condition::Always,
            Some(entry) => Condition::IfRevision(entry.revision()),
            None => Condition::IfAbsent,
        };
        for _ in 0..1000 {
            let found = self.get(name, false, &CallOptions::default()).await?;
            let before = if self.is(MeetsExpired) { found } else { cx.live(found) };
            if self.is(ModifiesInTwoSteps) {
                meet_another();
            }
            let decided = change.decide(before.as_ref(), cx.now, cx.fresh_revision());
            let decision = match (decided, change, &before) {
                (Err(_), Change::Increment(by), Some(entry))
                    if self.is(WrapsAround) && entry.decode::<i64>().is_ok() =>
                {
                    let sum = entry.decode::<i64>()?.wrapping_add(*by);
                    let value = Value::encode(&sum)?;
                    let record = Record::new(value.as_ref(), cx.fresh_revision()).with_expires(entry.expires());
                    let _ = self.put(name, &record, &Condition::Always, cx).await?;
                    return Ok(Modified::applied(before.clone(), Some(Entry::new(&record))));
                }
                (decided, ..) => decided?,
            };
            let condition = condition_of(before.as_ref());
            match decision {
                Decision::Leave => return Ok(Modified::unapplied(before)),
                Decision::Delete => {
                    if self.delete(name, &condition, cx).await? == DeleteOutcome::Deleted {
                        return Ok(Modified::applied(before, None));
                    }
                    if self.is(ModifiesInTwoSteps) {
                        return Ok(Modified::applied(before, None));
                    }
                }
                Decision::Put(next) => {
                    let mut record = next.record();
                    if self.is(LosesMetadataOnTouch) && matches!(change, Change::Touch(_)) {
                        record.metadata = None;
                    }
                    let text = match record.value.decode::<serde_json::Value>() {
                        Ok(value) if self.is(ReEncodes) => Value::encode(&value)?,
                        _ => record.value.to_value(),
                    };
                    record.value = text.as_ref();
                    let outcome = self.put(name, &record, &condition, cx).await?;
                    if let Some(written) = outcome.written() {
                        let after = Entry::with_revision(&record, written.revision());
                        return Ok(Modified::applied(before, Some(after)));
                    }
                }
            }
        }
        Err(Error::new(ErrorKind::Contended, "another writer was first"))
    }

    async fn list(&self, collection: &str, options: &ListOptions, cx: Context<'_>) -> Result<Page<Listed>> {
        self.reach()?;
        let mut options = options.clone();
        let cx = if self.is(ListsExpired) { before_all(cx) } else { cx };
        if self.is(ListsByOffset) {
            let offset: usize = match &options.cursor {
                Some(cursor) => cursor.as_str().parse().map_err(|_| cursor.refusal())?,
                None => 0,
            };
            let limit = options.limit;
            options.cursor = None;
            options.limit = usize::MAX;
            let all = self.inner.list(collection, &options, cx).await?.items;
            let next = offset.saturating_add(limit);
            let next = (next < all.len()).then(|| Cursor::new(next.to_string()));
            return Ok(Page::new(all.into_iter().skip(offset).take(limit).collect(), next));
        }
        if self.is(ExceedsTheLimit) {
            options.limit = options.limit.saturating_add(1);
        }
        let mut page = self.inner.list(collection, &options, cx).await?;
        if self.is(LosesALineOfAPage) && page.next.is_some() && options.limit > 1 {
            page.items.pop();
        }
        for line in &mut page.items {
            let entry = line.entry.take().map(|entry| self.read(Some(entry?)));
            line.entry = entry.and_then(kv_source::Result::transpose);
        }
        Ok(page)
    }

    async fn collections(&self, options: &ListOptions, cx: Context<'_>) -> Result<Page<String>> {
        self.reach()?;
        let cx = if self.is(ListsExpired) { before_all(cx) } else { cx };
        self.inner.collections(options, cx).await
    }

    async fn clear(&self, collection: &str, filter: &KeyFilter, cx: Context<'_>) -> Result<u64> {
        self.reach()?;
        if self.is(ClearsNeighbours) && *filter == KeyFilter::all() {
            return self.inner.destroy(cx).await;
        }
        self.inner.clear(collection, filter, cx).await
    }

    async fn destroy(&self, cx: Context<'_>) -> Result<u64> {
        self.reach()?;
        self.inner.destroy(cx).await
    }

    async fn cull(&self, cx: Context<'_>) -> Result<u64> {
        self.reach()?;
        match self.fault {
            FreesNothing | DoesNothingSilently => Ok(0),
            _ => self.inner.cull(cx).await,
        }
    }
}
