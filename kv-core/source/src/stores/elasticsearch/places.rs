//! Which index a collection stands in.

use std::collections::HashMap;
use std::sync::Arc;

use kv_core::formats::elasticsearch::{
    IndexState, Mark, Naming, adopt_index, alias_index, collections_in, collections_of, create_index, get_index,
    index_states, other_in, other_of, refusal_of,
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
    /// Whether another program may write there, and other collections too.
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
        let is_sure = if naming.is_plain { !naming.is_ambiguous } else { naming.python.is_none() };
        if is_sure && !self.python_indices {
            // Only writers have to know more.
            return Ok(Some(Arc::new(Place { index: naming.into_usual(), is_shared: true, is_ready: false })));
        }
        Ok(match self.standing(collection, naming, within).await? {
            Standing::Absent(_) => None,
            Standing::There(index, state) => {
                let is_shared = self.is_shared(state.mark.as_ref());
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
                    return Ok(place(index, self.is_shared(state.mark.as_ref())));
                }
                Standing::Absent(_) if !make => return Ok(None),
                Standing::Absent(index) => {
                    let create = create_index(&index, prefix, collection, self.python_indices, &self.settings);
                    let response = self.http.send(&create, Effect::Read, within).await?;
                    if response.is_success() {
                        return Ok(place(index, self.python_indices));
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

    /// Whether another program may write to an index with this mark.
    fn is_shared(&self, mark: Option<&Mark>) -> bool {
        self.python_indices || mark.is_none_or(|mark| mark.shared)
    }

    #[maybe_async::maybe_async]
    async fn standing(&self, collection: &str, naming: Naming, within: Within) -> Result<Standing> {
        let names: Vec<&str> = naming.python.as_deref().into_iter().chain([&*naming.escaped]).collect();
        let response = self.http.send(&get_index(&names), Effect::Read, within).await?;
        let mut states = match response.status {
            404 if refusal_of(&response).is_missing_index() => Default::default(),
            _ if response.is_success() => index_states(&response.body)?,
            _ => return Err(refused(&response, Effect::Read)),
        };
        let Naming { python, is_plain, escaped, .. } = naming;
        let own = states.remove(&escaped);
        let theirs = python.as_deref().and_then(|python| states.remove(python));
        match (python, own, theirs) {
            (Some(python), Some(_), _) if self.python_indices => Err(left_behind(collection, &escaped, &python)),
            (Some(python), None, Some(state)) if self.python_indices => {
                self.check_alone(&python, &state, collection, within).await?;
                Ok(Standing::There(python, state))
            }
            (_, Some(state), _) => {
                self.check_mark(&escaped, state.mark.as_ref(), collection)?;
                Ok(Standing::There(escaped, state))
            }
            (Some(python), None, Some(state)) => {
                if !self.is_own(&python, &state, is_plain, collection, within).await? {
                    return Ok(Standing::Absent(escaped));
                }
                self.check_mark(&python, state.mark.as_ref(), collection)?;
                Ok(Standing::There(python, state))
            }
            (Some(python), None, None) if is_plain || self.python_indices => Ok(Standing::Absent(python)),
            _ => Ok(Standing::Absent(escaped)),
        }
    }

    /// Whether an index of Python's name is this store's, and one for this collection.
    #[maybe_async::maybe_async]
    async fn is_own(
        &self,
        index: &str,
        state: &IndexState,
        is_plain: bool,
        collection: &str,
        within: Within,
    ) -> Result<bool> {
        if let Some(mark) = &state.mark {
            // A store that is to take Python's indices took this one, and has to be followed.
            return Ok(mark.prefix == self.indices.prefix() && (is_plain || mark.collection == collection));
        }
        if !is_plain || !state.has_names {
            return Ok(false);
        }
        let response = self.ask(&collections_of([index]), Effect::Read, within).await?;
        let found = collections_in(&response.body, 1)?;
        // Records of a store with another prefix.
        Ok(!found.iter().flatten().any(|found| found.to_lowercase() != collection))
    }

    /// Refuses an index of Python's where another collection stands too.
    #[maybe_async::maybe_async]
    async fn check_alone(&self, index: &str, state: &IndexState, collection: &str, within: Within) -> Result<()> {
        self.check_mark(index, state.mark.as_ref(), collection)?;
        if !state.has_names {
            let message =
                format!("the index {index} is not one of Python's: its documents cannot be asked for by name");
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        let response = self.ask(&other_of(index, collection), Effect::Read, within).await?;
        match other_in(&response.body)? {
            Some(other) => Err(taken(index, collection, &other)),
            None => Ok(()),
        }
    }

    fn check_mark(&self, index: &str, mark: Option<&Mark>, collection: &str) -> Result<()> {
        let Some(mark) = mark else { return Ok(()) };
        if mark.version > 1 {
            let message = "the index's mapping comes from a newer version of this library";
            return Err(Error::new(ErrorKind::Corrupted, message));
        }
        if mark.prefix != self.indices.prefix() {
            let message = format!("the index {index} is of a store with the prefix {:?}", mark.prefix);
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        if mark.collection != collection { Err(taken(index, collection, &mark.collection)) } else { Ok(()) }
    }
}

#[cold]
fn taken(index: &str, collection: &str, other: &str) -> Error {
    let message = format!(
        "the index {index} is the collection {other:?}'s, and would be {collection:?}'s too: a key of the one would be a \
         key of the other. Give one of them another name, or drop the index if {other:?} is of no more use"
    );
    Error::new(ErrorKind::Configuration, message)
}

#[cold]
fn left_behind(collection: &str, escaped: &str, python: &str) -> Error {
    let message = format!(
        "the collection {collection:?} stands in the index {escaped} since before this store was to take Python's \
         indices: make {python} with its mapping, move its records there by `_reindex`, and drop it"
    );
    Error::new(ErrorKind::Configuration, message)
}
