//! The items of a listing, one by one, blocking: an iterator.

use std::vec;

use kv_core::Result;

use crate::pager::{EntryPager, KeyAndEntry, KeyPager};

/// One page after the other, item by item. After an error it ends.
struct Items<P, T> {
    pager: P,
    page: vec::IntoIter<T>,
    next_page: fn(&mut P) -> Result<Option<Vec<T>>>,
    done: bool,
}

impl<P, T> Iterator for Items<P, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(item) = self.page.next() {
                return Some(Ok(item));
            }
            if self.done {
                return None;
            }
            match (self.next_page)(&mut self.pager) {
                Ok(Some(page)) => self.page = page.into_iter(),
                Ok(None) => self.done = true,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl KeyPager {
    /// The keys of all pages, one by one. After an error it ends.
    pub fn into_items(self) -> impl Iterator<Item = Result<String>> {
        Items { pager: self, page: Vec::new().into_iter(), next_page: Self::next_page, done: false }
    }
}

impl EntryPager {
    /// The keys and entries of all pages, one by one. After an error of the listing it ends; one of a record alone
    /// stands in that record's place.
    pub fn into_items(self) -> impl Iterator<Item = Result<KeyAndEntry>> {
        Items { pager: self, page: Vec::new().into_iter(), next_page: Self::next_page, done: false }
    }
}
