//! What is made once and kept for later runs, in `KV_CACHE` or the user's cache folder.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};

/// The cache folder, made if it is not there yet.
pub(crate) fn dir() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("KV_CACHE").or_else(|| set("XDG_CACHE_HOME")).or_else(|| Some(set("HOME")?.join(".cache")));
    let base = base.ok_or_else(|| Error::new("no cache folder: set KV_CACHE"))?;
    // Scripts inside hold their own path, so it must hold from every folder.
    let dir = std::path::absolute(base)?.join("kv-tests");
    std::fs::create_dir_all(&dir).context(|| dir.display().to_string())?;
    Ok(dir)
}

/// Whether the folder of this name is there.
pub(crate) fn has(name: &str) -> bool {
    dir().is_ok_and(|cache| cache.join(name).exists())
}

/// The folder of this name, filled if it is not there yet; several processes may ask at once.
///
/// Filling it is tried once more, in an empty folder, for a network that hiccups.
///
/// # Errors
/// When that fails.
pub(crate) fn folder(name: &str, fill: impl Fn(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = dir()?;
    let dir = cache.join(name);
    if dir.exists() {
        return Ok(dir);
    }
    // Held until the end of this function; whoever waited finds it done.
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    lock.lock().context(|| format!("the lock of {}", dir.display()))?;
    if dir.exists() {
        return Ok(dir);
    }
    let make = || {
        let new = tempfile::Builder::new().prefix(name).tempdir_in(&cache)?;
        fill(new.path())?;
        Ok(new)
    };
    let new = make().or_else(|_: Error| make())?;
    std::fs::rename(new.keep(), &dir).context(|| dir.display().to_string())?;
    Ok(dir)
}

/// FNV-1a: the same from run to run, which the standard library's hash does not promise.
pub(crate) fn fnv(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_whole_or_not_there() {
        let name = format!("test-{}", std::process::id());
        let failed = folder(&name, |new| {
            std::fs::write(new.join("half"), "")?;
            Err(Error::new("no"))
        });
        assert!(failed.is_err() && !dir().unwrap().join(&name).exists());
        let fill = |new: &Path| Ok(std::fs::write(new.join("all"), "")?);
        let made = folder(&name, fill).unwrap();
        assert!(made.join("all").exists() && !made.join("half").exists());
        assert_eq!(folder(&name, |_| Err(Error::new("made twice"))).unwrap(), made);
        std::fs::remove_dir_all(&made).unwrap();
        std::fs::remove_file(made.with_extension("lock")).unwrap();
    }
}
