//! Which index a collection stands in.

use std::collections::HashMap;
use std::sync::Arc;

use kv_core::formats::elasticsearch::{
    IndexState, Mark, Naming, adopt_index, alias_index, collections_in, collections_of, create_index, get_index,
    index_states, refusal_of,
};
use kv_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;

use super::ElasticsearchDriver;
use super::failure::refused;
use crate::attempts::Attempts;
use crate::within::{Effect, Within};

/// More collections than that are looked up again.
const MOST_KNOWN: usize = 10_000;

/// The index of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) index: String,
    /// Whether another program made it, and may write other collections there.
    pub(super) is_shared: bool,
    /// Whether it has our mapping, and the alias by which it is written to.
    is_ready: bool,
}

/// The places that were found.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<String, Arc<Place>>>);

impl Places {
    fn get(&self, collection: &str) -> Option<Arc<Place>> {
        self.0.lock().get(collection).map(Arc::clone)
    }

    fn keep(&self, collection: &str, place: Place) -> Arc<Place> {
        let place = Arc::new(place);
        let mut known = self.0.lock();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(collection.to_owned(), Arc::clone(&place));
        place
    }

    pub(super) fn forget(&self, collection: &str) {
        self.0.lock().remove(collection);
    }

    pub(super) fn forget_all(&self) {
        self.0.lock().clear();
    }
}

/// What the server has of a collection.
enum Standing {
    There(String, IndexState),
    /// Nothing; the index it is to have.
    Absent(String),
}

impl<const OPEN: bool> ElasticsearchDriver<OPEN> {
    /// Where to read a collection; `None` if it has no index.
    ///
    /// It takes a request for a collection that is not known yet and whose index could be another store's.
    #[maybe_async::maybe_async]
    pub(super) async fn place_to_read(&self, collection: &str, within: Within) -> Result<Option<Arc<Place>>> {
        if let Some(place) = self.places.get(collection) {
            return Ok(Some(place));
        }
        let naming = self.indices.naming(collection);
        if !naming.is_ambiguous {
            let index = naming.plain.unwrap_or(naming.escaped);
            // Only writers have to know more.
            return Ok(Some(Arc::new(Place { index, is_shared: true, is_ready: false })));
        }
        Ok(match self.standing(collection, naming, within).await? {
            Standing::Absent(_) => None,
            Standing::There(index, state) => {
                let is_shared = state.mark.as_ref().is_none_or(|mark| mark.shared);
                let is_ready = state.mark.is_some() && state.has_alias;
                Some(self.places.keep(collection, Place { index, is_shared, is_ready }))
            }
        })
    }

    /// Where to write a collection. Its index is made, if that is wished: otherwise `None` if there is none.
    #[maybe_async::maybe_async]
    pub(super) async fn place_to_write(
        &self,
        collection: &str,
        make: bool,
        within: Within,
    ) -> Result<Option<Arc<Place>>> {
        if let Some(place) = self.places.get(collection).filter(|place| place.is_ready) {
            return Ok(Some(place));
        }
        let prefix = self.indices.prefix();
        let mut attempts = Attempts::default();
        loop {
            let naming = self.indices.naming(collection);
            let place =
                |index, is_shared| Some(self.places.keep(collection, Place { index, is_shared, is_ready: true }));
            match self.standing(collection, naming, within).await? {
                Standing::There(index, state) => {
                    if state.mark.is_none() {
                        self.order(&adopt_index(&index, prefix, collection), within).await?;
                    }
                    if state.mark.is_none() || !state.has_alias {
                        self.order(&alias_index(&index), within).await?;
                    }
                    return Ok(place(index, state.mark.is_none_or(|mark| mark.shared)));
                }
                Standing::Absent(_) if !make => return Ok(None),
                Standing::Absent(index) => {
                    let create = create_index(&index, prefix, collection, &self.settings);
                    let response = self.http.send(&create, Effect::Read, within).await?;
                    if response.is_success() {
                        return Ok(place(index, false));
                    }
                    // Somebody else was first, and it may be another store.
                    if !refusal_of(&response).is_existing_index() {
                        return Err(refused(&response, Effect::Read));
                    }
                }
            }
            attempts.pause().await?;
        }
    }

    /// Changes an index, which does no harm when it is done twice.
    #[maybe_async::maybe_async]
    async fn order(&self, request: &kv_core::formats::http::Request, within: Within) -> Result<()> {
        self.ask(request, Effect::Read, within).await.map(drop)
    }

    #[maybe_async::maybe_async]
    async fn standing(&self, collection: &str, naming: Naming, within: Within) -> Result<Standing> {
        let Naming { plain, escaped, .. } = naming;
        let names: Vec<&str> = plain.as_deref().into_iter().chain([&*escaped]).collect();
        let response = self.http.send(&get_index(&names), Effect::Read, within).await?;
        let mut states = match response.status {
            404 if refusal_of(&response).is_missing_index() => Default::default(),
            _ if response.is_success() => index_states(&response.body)?,
            _ => return Err(refused(&response, Effect::Read)),
        };
        if let Some(state) = states.remove(&escaped) {
            self.check_mark(state.mark.as_ref(), collection)?;
            return Ok(Standing::There(escaped, state));
        }
        let Some(plain) = plain else { return Ok(Standing::Absent(escaped)) };
        let Some(state) = states.remove(&plain) else { return Ok(Standing::Absent(plain)) };
        let is_own = match &state.mark {
            Some(mark) => mark.prefix == self.indices.prefix(),
            None => state.has_names && !self.is_of_others(&plain, collection, within).await?,
        };
        if !is_own {
            return Ok(Standing::Absent(escaped));
        }
        self.check_mark(state.mark.as_ref(), collection)?;
        Ok(Standing::There(plain, state))
    }

    /// Whether an index of Python's has records of a store with another prefix.
    #[maybe_async::maybe_async]
    async fn is_of_others(&self, index: &str, collection: &str, within: Within) -> Result<bool> {
        let response = self.ask(&collections_of(index), Effect::Read, within).await?;
        Ok(collections_in(&response.body)?.iter().any(|found| found.to_lowercase() != collection))
    }

    fn check_mark(&self, mark: Option<&Mark>, collection: &str) -> Result<()> {
        let Some(mark) = mark else { return Ok(()) };
        if mark.version > 1 {
            let message = "the index's mapping comes from a newer version of this library";
            return Err(Error::new(ErrorKind::Corrupted, message));
        }
        if mark.prefix != self.indices.prefix() || mark.collection != collection {
            let message = "the collection's index says that it is another collection's";
            return Err(Error::new(ErrorKind::Corrupted, message));
        }
        Ok(())
    }
}
