//! Listings: each goes on in the store where it began.

use kv_core::{Cursor, ListOptions, Listed, Page, Result};

use super::Fallback;
use super::stand_in::second_or;
use crate::store::Store;

/// What is listed.
#[maybe_async::maybe_async(AFIT)]
pub(super) trait Lister: Sync {
    type Line: Send;

    fn page<S: Store>(&self, store: &S, options: &ListOptions)
    -> impl Future<Output = Result<Page<Self::Line>>> + Send;
}

/// The keys of a collection.
pub(super) struct Keys<'a> {
    pub(super) collection: &'a str,
}

#[maybe_async::maybe_async(AFIT)]
impl Lister for Keys<'_> {
    type Line = Listed;

    async fn page<S: Store>(&self, store: &S, options: &ListOptions) -> Result<Page<Listed>> {
        store.list(self.collection, options).await
    }
}

/// The names of collections.
pub(super) struct Collections {}

#[maybe_async::maybe_async(AFIT)]
impl Lister for Collections {
    type Line = String;

    async fn page<S: Store>(&self, store: &S, options: &ListOptions) -> Result<Page<String>> {
        store.collections(options).await
    }
}

/// In which store a listing goes on, and where.
enum Side {
    First(Cursor),
    Second(Cursor),
}

fn side(cursor: &Cursor) -> Result<Side> {
    match cursor.as_str().split_at_checked(2) {
        Some(("1.", text)) => Ok(Side::First(Cursor::new(text))),
        Some(("2.", text)) => Ok(Side::Second(Cursor::new(text))),
        _ => Err(cursor.refusal().in_store("Fallback")),
    }
}

fn marked<T>(mut page: Page<T>, side: &str) -> Page<T> {
    page.next = page.next.map(|next| Cursor::new(format!("{side}{next}")));
    page
}

#[maybe_async::maybe_async]
impl<A: Store, B: Store> Fallback<A, B> {
    /// A page of the first store, or of the second if the listing began there, or begins while the first is
    /// unavailable.
    pub(super) async fn page<L: Lister>(&self, lister: &L, options: &ListOptions) -> Result<Page<L::Line>> {
        let error = match options.cursor.as_ref().map(side).transpose()? {
            Some(Side::First(rest)) => {
                let options = options.clone().with_cursor(Some(rest));
                return Ok(marked(lister.page(&self.first, &options).await?, "1."));
            }
            Some(Side::Second(rest)) => {
                let options = options.clone().with_cursor(Some(rest));
                return Ok(marked(lister.page(&self.second, &options).await?, "2."));
            }
            None => match self.all_in_line(&options.call).await {
                Ok(()) => match lister.page(&self.first, options).await {
                    Ok(page) => return Ok(marked(page, "1.")),
                    Err(error) => error,
                },
                Err(error) => error,
            },
        };
        if !self.may_ask_second(&error) {
            return Err(error);
        }
        self.known.note_second_reads(1);
        Ok(marked(second_or(lister.page(&self.second, options).await, error)?, "2."))
    }
}
