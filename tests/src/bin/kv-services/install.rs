//! Installing a server's package with apt.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kv_tests::servers::{self, Kind};
use kv_tests::{Context as _, Error, Result};

/// How long another package manager may hold the lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(600);

/// Whether this process read the package lists anew. Held by whoever installs, so that threads take turns.
static UPDATED: Mutex<bool> = Mutex::new(false);

/// Installs what this kind's server needs and is not there.
pub(crate) fn install(kind: Kind) -> Result<()> {
    let packages = kind.missing_packages();
    let Some(package) = packages.first() else { return Ok(()) };
    let apt = servers::find("apt-get").filter(|_| rustix::process::geteuid().is_root());
    if apt.is_none() {
        return Err(Error::new(by_hand(kind, "it is not installed, and this is not root on a machine with apt-get")));
    }
    let mut updated = UPDATED.lock().unwrap_or_else(PoisonError::into_inner);
    let _lock = servers::install_lock()?;
    eprintln!("installing {package} ...");
    if !*updated {
        apt_get(&["update"]).context(|| by_hand(kind, "the package lists cannot be read"))?;
        *updated = true;
    }
    let mut from: Vec<String> = Vec::new();
    if !has_candidate(package)? {
        let suite = add_backports().context(|| by_hand(kind, &format!("no package source has {package}")))?;
        apt_get(&["update"]).context(|| by_hand(kind, &format!("the package lists of {suite} cannot be read")))?;
        if !has_candidate(package)? {
            return Err(Error::new(by_hand(kind, &format!("{package} is not in {suite} either"))));
        }
        from = vec!["--target-release".into(), suite];
    }
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend(from.iter().map(String::as_str));
    args.extend(&packages);
    apt_get(&args).context(|| by_hand(kind, &format!("{package} cannot be installed")))
}

fn by_hand(kind: Kind, why: &str) -> String {
    format!(
        "{why}; install {} by hand, or name a server in {}, or skip it with KV_SKIP={}",
        kind.missing_packages().join(" and "),
        kind.variable(),
        kind.name()
    )
}

/// Runs apt-get: once more after a failure, and for as long as somebody else holds its lock.
fn apt_get(args: &[&str]) -> Result<()> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    let mut tries = 0;
    loop {
        let output = Command::new("apt-get")
            .args(["-o", "DPkg::Lock::Timeout=300", "--quiet"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .context(|| "apt-get".to_owned())?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if ["Could not get lock", "Unable to lock"].iter().any(|text| said.contains(text)) && Instant::now() < deadline
        {
            eprintln!("another package manager is at work, waiting ...");
            std::thread::sleep(Duration::from_secs(5));
            continue;
        }
        tries += 1;
        if tries == 2 {
            let lines: Vec<&str> = said.lines().collect();
            let tail = lines[lines.len().saturating_sub(12)..].join("\n");
            return Err(Error::new(format!("apt-get {} failed:\n{tail}", args.join(" "))));
        }
        std::thread::sleep(Duration::from_secs(2));
    }
}

fn has_candidate(package: &str) -> Result<bool> {
    let mut command = Command::new("apt-cache");
    let output = command.args(["policy", package]).env("LC_ALL", "C").output().context(|| "apt-cache".to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().any(|line| line.trim().strip_prefix("Candidate:").is_some_and(|it| it.trim() != "(none)")))
}

/// Adds the release's backports from where the machine already takes its packages. Answers the suite's name.
fn add_backports() -> Result<String> {
    let release = std::fs::read_to_string("/etc/os-release").context(|| "/etc/os-release".to_owned())?;
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let (id, codename) = (field("ID"), field("VERSION_CODENAME"));
    let (Some("debian"), Some(codename)) = (id.as_deref(), codename) else {
        return Err(Error::new("only Debian has backports to add"));
    };
    let known = Path::new("/etc/apt/sources.list.d/debian.sources");
    let sources = std::fs::read_to_string(known).context(|| known.display().to_string())?;
    let stanza = backports(&sources, &codename).ok_or_else(|| Error::new(format!("no URIs in {}", known.display())))?;
    let path = "/etc/apt/sources.list.d/kv-services-backports.sources";
    std::fs::write(path, stanza).context(|| path.to_owned())?;
    eprintln!("added {codename}-backports to the package sources ({path})");
    Ok(format!("{codename}-backports"))
}

fn backports(sources: &str, codename: &str) -> Option<String> {
    let field = |name: &str| sources.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    let uri = field("URIs:")?;
    let key = field("Signed-By:").unwrap_or("/usr/share/keyrings/debian-archive-keyring.gpg");
    Some(format!("Types: deb\nURIs: {uri}\nSuites: {codename}-backports\nComponents: main\nSigned-By: {key}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_backports_from_where_the_machine_takes_its_packages() {
        let sources = "Types: deb\n# URIs: http://example.com/old\nURIs: http://example.com/debian\nSuites: x x-updates\n\n\
                       Types: deb\nURIs: http://example.com/security\n";
        let want = "Types: deb\nURIs: http://example.com/debian\nSuites: x-backports\nComponents: main\n\
                    Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n";
        assert_eq!(backports(sources, "x").as_deref(), Some(want));
        assert_eq!(backports("Types: deb\n", "x"), None);
    }
}
