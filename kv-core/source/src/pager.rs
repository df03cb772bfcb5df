//! Listings from end to end.

use kv_core::{Entry, ListOptions, Listed, Page, Result};

use crate::collection::Collection;

/// A line of a listing of entries: the key, and the entry or why it cannot be read.
pub type KeyAndEntry = (String, Result<Entry>);

/// The pages of a listing of keys, one after the other.
///
/// ```
/// use kv_source::{Kv, ListOptions};
/// use kv_source::stores::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kv_source::Result<()> {
/// let kv = Kv::new(MemoryStore::new());
/// for number in 0..25 {
///     kv.put(&format!("key:{number}"), &number).await?;
/// }
/// let mut pages = kv.key_pages(ListOptions::starting_with("key:").with_limit(10));
/// let mut keys = Vec::new();
/// while let Some(page) = pages.next_page().await? {
///     assert!(page.len() <= 10);
///     keys.extend(page);
/// }
/// assert_eq!(keys.len(), 25);
/// # Ok(())
/// # }
/// ```
///
/// Item by item: [`into_items`](Self::into_items) is an `Iterator` in `kv-sync` and a `Stream` in `kv-async`.
#[derive(Debug)]
pub struct KeyPager(Pages);

/// The pages of a listing of entries, one after the other; like [`KeyPager`], with a result for each entry, so that a
/// damaged record does not hide the others.
#[derive(Debug)]
pub struct EntryPager(Pages);

#[derive(Debug)]
struct Pages {
    collection: Collection,
    options: ListOptions,
    done: bool,
}

impl Pages {
    /// The next page with something on it. After an error the same page is asked for again.
    #[maybe_async::maybe_async]
    async fn next_page(&mut self) -> Result<Option<Page<Listed>>> {
        while !self.done {
            let page = self.collection.store().list(self.collection.name(), &self.options).await?;
            self.options.cursor.clone_from(&page.next);
            self.done = page.next.is_none();
            if !page.items.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }
}

impl KeyPager {
    pub(crate) fn new(collection: Collection, options: ListOptions) -> Self {
        Self(Pages { collection, options, done: false })
    }

    /// The keys of the next page; `None` after the last. No page is empty.
    ///
    /// # Errors
    ///
    /// Those of [`Collection::keys`]. The next call asks for the same page again.
    #[maybe_async::maybe_async]
    pub async fn next_page(&mut self) -> Result<Option<Vec<String>>> {
        let page = self.0.next_page().await?;
        Ok(page.map(|page| page.items.into_iter().map(|line| line.key).collect()))
    }
}

impl EntryPager {
    pub(crate) fn new(collection: Collection, options: ListOptions) -> Self {
        Self(Pages { collection, options: options.with_entries(), done: false })
    }

    /// The keys and entries of the next page; `None` after the last. No page is empty.
    ///
    /// # Errors
    ///
    /// Those of [`Collection::entries`]. The next call asks for the same page again.
    #[maybe_async::maybe_async]
    pub async fn next_page(&mut self) -> Result<Option<Vec<KeyAndEntry>>> {
        Ok(self.0.next_page().await?.map(|page| entries(page).items))
    }
}

/// The lines of a listing that was asked for entries.
pub(crate) fn entries(page: Page<Listed>) -> Page<KeyAndEntry> {
    let next = page.next;
    let items = page.items.into_iter().filter_map(|line| Some((line.key, line.entry?))).collect();
    Page::new(items, next)
}
