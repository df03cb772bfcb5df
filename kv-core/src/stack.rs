//! Which stacks cannot work.

use std::fmt;

use crate::{Atomicity, Capabilities, Description, Error, ErrorKind, Layer, Listing, Result};

/// Something that a program needs of its stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Need {
    /// Conditional writes, and what is built from them, at least for all users of this process.
    ConditionalWrites,
    /// Conditional writes that hold for every client of the backend.
    LinearizableWrites,
    /// Batches that are written in one step.
    AtomicBatches,
    /// Listing of keys and entries.
    Listing,
    /// Listing of collections.
    Collections,
    /// Removing a collection's, or all of the store's, records.
    Clearing,
    /// Metadata beside the value.
    Metadata,
    /// Entries that outlive the process.
    Persistence,
    /// Entries that other processes see.
    Sharing,
}

impl Need {
    fn is_met(self, by: &Capabilities) -> bool {
        match self {
            Self::ConditionalWrites => by.conditional != Atomicity::Unsupported,
            Self::LinearizableWrites => by.conditional == Atomicity::Linearizable,
            Self::AtomicBatches => by.atomic_batches,
            Self::Listing => by.listing != Listing::Unsupported,
            Self::Collections => by.collections,
            Self::Clearing => by.clear,
            Self::Metadata => by.metadata,
            Self::Persistence => by.persistent,
            Self::Sharing => by.shared,
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConditionalWrites => "conditional writes",
            Self::LinearizableWrites => "conditional writes for every client",
            Self::AtomicBatches => "batches in one step",
            Self::Listing => "listing of keys",
            Self::Collections => "listing of collections",
            Self::Clearing => "clearing",
            Self::Metadata => "metadata",
            Self::Persistence => "entries that outlive the process",
            Self::Sharing => "entries that other processes see",
        })
    }
}

/// Refuses a stack that cannot work. `levels` are the descriptions of the store, of what is one wrapper more, and so on
/// to the whole stack.
///
/// # Errors
///
/// [`ErrorKind::Configuration`], saying why:
///
/// * something [needed](Need) is missing, and which level lacks it;
/// * encryption stands outside compression, which would be given ciphertext;
/// * two clamps leave no TTL;
/// * a cache has a near store that other processes write to, past this cache;
/// * prefixes leave no room for names.
pub fn check_stack(levels: &[Description], needs: &[Need]) -> Result<()> {
    let Some(stack) = levels.last() else { return Ok(()) };
    let refuse = |why: String| Err(Error::new(ErrorKind::Configuration, format!("{why}: {stack}")));
    for need in needs {
        if let Some(level) = levels.iter().find(|level| !need.is_met(&level.capabilities)) {
            let lacks = match level.layers.first() {
                Some(layer) => format!("{layer} takes them away"),
                None => format!("{} has none", level.name),
            };
            return refuse(format!("the stack needs {need}, and {lacks}"));
        }
    }
    if let Some((encryption, compression)) = pair(&stack.layers, encrypts, compresses) {
        return refuse(format!(
            "{encryption} stands outside {compression}, which would be given ciphertext, and that does not compress; let a \
             call pass {compression} first"
        ));
    }
    if let Some((outer, inner)) = contradiction(&stack.layers) {
        return refuse(format!("no TTL is within the bounds of both {outer} and {inner}"));
    }
    for layer in stack.layers.iter().filter(|layer| layer.name.contains("Cache")) {
        if let Some(near) = layer.beside.iter().find(|near| near.capabilities.shared) {
            return refuse(format!(
                "{near} is the near store of {}, and other processes share it: what they write past the cache would be \
                 read for what the far store holds",
                layer.name
            ));
        }
    }
    for (limit, what) in
        [(stack.capabilities.max_key_bytes, "keys"), (stack.capabilities.max_collection_bytes, "collection names")]
    {
        if limit == 0 {
            return refuse(format!("nothing is left of the length of {what}"));
        }
    }
    Ok(())
}

fn encrypts(layer: &Layer) -> bool {
    layer.name.contains("Encryption") || layer.name.contains("Fernet")
}

fn compresses(layer: &Layer) -> bool {
    layer.name.contains("Compression")
}

/// The first layers of which one is so, and one further in is otherwise.
fn pair(layers: &[Layer], outer: fn(&Layer) -> bool, inner: fn(&Layer) -> bool) -> Option<(&Layer, &Layer)> {
    let at = layers.iter().position(outer)?;
    let within = layers[at + 1..].iter().find(|layer| inner(layer))?;
    Some((&layers[at], within))
}

fn contradiction(layers: &[Layer]) -> Option<(&Layer, &Layer)> {
    let clamps: Vec<_> = layers.iter().filter_map(|layer| Some((layer, layer.ttls?))).collect();
    for (index, (outer, bounds)) in clamps.iter().enumerate() {
        if let Some((inner, _)) = clamps[index + 1..].iter().find(|(_, others)| bounds.contradict(others)) {
            return Some((outer, inner));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Stability, TtlBounds};

    fn store() -> Description {
        let mut capabilities = Capabilities::none();
        capabilities.listing = Listing::ExactlyOnce;
        capabilities.conditional = Atomicity::ProcessLocal;
        Description::new("Store", Stability::Stable, capabilities)
    }

    fn refused(levels: &[Description], needs: &[Need]) -> String {
        let error = check_stack(levels, needs).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        error.message().to_owned()
    }

    #[test]
    fn what_is_needed_and_missing_is_named_with_who_lacks_it() {
        let mut wrapped = store().wrapped_in("Blind").with_parameters("x");
        wrapped.capabilities.listing = Listing::Unsupported;
        let levels = [store(), wrapped.clone(), wrapped.wrapped_in("Top")];
        assert_eq!(
            refused(&levels, &[Need::ConditionalWrites, Need::Listing]),
            "the stack needs listing of keys, and Blind(x) takes them away: Top → Blind(x) → Store"
        );
        let lacks = refused(&levels, &[Need::LinearizableWrites]);
        assert!(lacks.contains("conditional writes for every client, and Store has none"), "{lacks}");
        assert!(check_stack(&levels, &[Need::ConditionalWrites]).is_ok());
    }

    #[test]
    fn compressing_ciphertext_is_refused_wherever_the_two_stand() {
        let wrong = store().wrapped_in("Compression").wrapped_in("Retry").wrapped_in("FernetEncryption");
        assert!(refused(&[wrong], &[]).contains("FernetEncryption stands outside Compression"));
        let right = store().wrapped_in("Encryption").wrapped_in("Retry").wrapped_in("Compression");
        assert!(check_stack(&[right], &[]).is_ok());
    }

    #[test]
    fn clamps_that_leave_no_ttl_are_refused() {
        let seconds = |secs: Option<u64>| secs.map(Duration::from_secs);
        let clamped = |inner: (Option<u64>, Option<u64>), outer: (Option<u64>, Option<u64>)| {
            let bounds = |(min, max)| TtlBounds::new(seconds(min), seconds(max));
            let inner = store().wrapped_in("Inner").with_ttls(bounds(inner));
            let stack = inner.wrapped_in("Between").wrapped_in("Outer").with_ttls(bounds(outer));
            check_stack(&[stack], &[])
        };
        assert!(clamped((Some(60), None), (None, Some(10))).is_err());
        assert!(clamped((None, Some(10)), (Some(60), None)).is_err());
        assert!(clamped((Some(60), None), (None, Some(60))).is_ok());
        assert!(clamped((Some(1), Some(60)), (Some(10), Some(100))).is_ok());
        assert!(clamped((None, None), (Some(10), None)).is_ok());
    }

    #[test]
    fn a_near_store_that_others_share_is_refused() {
        let mut near = store();
        assert!(check_stack(&[store().wrapped_in("PassthroughCache").with_beside(near.clone())], &[]).is_ok());
        near.capabilities.shared = true;
        let why = refused(&[store().wrapped_in("PassthroughCache").with_beside(near.clone())], &[]);
        assert!(why.contains("Store is the near store of PassthroughCache"), "{why}");
        assert!(check_stack(&[store().wrapped_in("Mirror").with_beside(near)], &[]).is_ok(), "that is no cache");
    }

    #[test]
    fn no_room_for_names_is_refused() {
        let mut narrow = store().wrapped_in("Prefix");
        narrow.capabilities.max_key_bytes = 0;
        assert!(refused(&[narrow], &[]).contains("nothing is left of the length of keys"));
        assert!(check_stack(&[], &[]).is_ok());
    }
}
