//! The items of a listing, one by one, awaiting: a stream.

use futures_core::Stream;
use futures_util::stream::{self, TryStreamExt};

use kv_core::Result;

use crate::pager::{EntryPager, KeyAndEntry, KeyPager};

fn items<T>(page: Vec<T>) -> impl Stream<Item = Result<T>> {
    stream::iter(page.into_iter().map(Ok))
}

impl KeyPager {
    /// The keys of all pages, one by one. After an error it ends.
    pub fn into_items(self) -> impl Stream<Item = Result<String>> + Send {
        let pages = stream::try_unfold(self, async |mut pager| Ok(pager.next_page().await?.map(|page| (page, pager))));
        pages.map_ok(items).try_flatten()
    }
}

impl EntryPager {
    /// The keys and entries of all pages, one by one. After an error of the listing it ends; one of a record alone
    /// stands in that record's place.
    pub fn into_items(self) -> impl Stream<Item = Result<KeyAndEntry>> + Send {
        let pages = stream::try_unfold(self, async |mut pager| Ok(pager.next_page().await?.map(|page| (page, pager))));
        pages.map_ok(items).try_flatten()
    }
}
