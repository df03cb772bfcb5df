//! URLs of servers.

use std::path::PathBuf;

use kv_core::Result;

use super::options::{Endpoint, RedisOptions};
use crate::address::{Authority, decode, digits, wrong};

const SCHEMES: &str = "redis://, rediss://, valkey://, valkeys://, redis+unix://, valkey+unix://, unix://";

pub(super) fn parse(url: &str) -> Result<RedisOptions> {
    let scheme = || wrong(format!("the server's URL begins with none of {SCHEMES}"));
    let (name, rest) = url.split_once("://").ok_or_else(scheme)?;
    match name {
        "redis" | "valkey" => tcp(rest, false),
        "rediss" | "valkeys" => tcp(rest, true),
        "redis+unix" | "valkey+unix" | "unix" => unix(rest),
        _ => Err(scheme()),
    }
}

/// `[[user]:password@]host[:port][/database]`
fn tcp(rest: &str, tls: bool) -> Result<RedisOptions> {
    if rest.contains(['?', '#']) {
        return Err(wrong("the URL has a query or a fragment; over TCP it takes none (percent-encode ? and #)"));
    }
    let (authority, path, _) = Authority::parse(rest)?;
    if authority.host.is_empty() {
        return Err(wrong("the URL names no host"));
    }
    let endpoint = Endpoint::Tcp { host: authority.host, port: authority.port.unwrap_or(RedisOptions::DEFAULT_PORT) };
    let database = database(path.strip_suffix('/').unwrap_or(path))?;
    let mut options = RedisOptions { endpoint, tls, database, ..RedisOptions::default() };
    if let Some((user, password)) = authority.login {
        if password.is_none() {
            return Err(wrong("the URL has a user and no password; write redis://user:password@host"));
        }
        options.username = Some(user).filter(|user| !user.is_empty());
        options.password = password.filter(|password| !password.is_empty() || options.username.is_some());
    }
    Ok(options)
}

/// `/path[?db=0&user=name&pass=word]`
fn unix(rest: &str) -> Result<RedisOptions> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !path.starts_with('/') {
        return Err(wrong("the URL of a Unix socket names no absolute path; write redis+unix:///path/to/socket"));
    }
    let endpoint = Endpoint::Unix(PathBuf::from(decode(path)?));
    let mut options = RedisOptions { endpoint, ..RedisOptions::default() };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("db", number)) => options.database = database(number)?,
            Some(("user", user)) => options.username = Some(decode(user)?),
            Some(("pass", password)) => options.password = Some(decode(password)?),
            _ => return Err(wrong("the URL's query has an unknown part; it takes db, user and pass")),
        }
    }
    Ok(options)
}

fn database(text: &str) -> Result<u32> {
    if text.is_empty() {
        return Ok(0);
    }
    digits(text).ok_or_else(|| wrong("the URL's database is no number"))
}

#[cfg(test)]
mod tests {
    use kv_core::ErrorKind;

    use super::*;

    fn place(url: &str) -> (String, bool, u32, Option<String>, Option<String>) {
        let options = parse(url).unwrap();
        (options.endpoint.to_string(), options.tls, options.database, options.username, options.password)
    }

    #[test]
    fn good_urls() {
        let some = |text: &str| Some(text.to_owned());
        for (url, endpoint, tls, database, user, password) in [
            ("redis://localhost", "localhost:6379", false, 0, None, None),
            ("redis://localhost/", "localhost:6379", false, 0, None, None),
            ("valkey://example.com:7000/3", "example.com:7000", false, 3, None, None),
            ("redis://[::1]:7000/2/", "::1:7000", false, 2, None, None),
            ("redis://[::1]", "::1:6379", false, 0, None, None),
            ("redis://:p%40s%2Fs%3A%25@h", "h:6379", false, 0, None, some("p@s/s:%")),
            ("redis://u%20ser:p:w@h:1", "h:1", false, 0, some("u ser"), some("p:w")),
            ("redis://u:@h", "h:6379", false, 0, some("u"), some("")),
            ("redis://:@h", "h:6379", false, 0, None, None),
            ("redis://u:p@/w@h/1", "h:6379", false, 1, some("u"), some("p@/w")),
            ("rediss://h", "h:6379", true, 0, None, None),
            ("valkeys://h", "h:6379", true, 0, None, None),
            ("redis+unix:///run/a%20b.sock", "/run/a b.sock", false, 0, None, None),
            ("unix:///run/s?db=4&user=u&pass=p%26", "/run/s", false, 4, some("u"), some("p&")),
        ] {
            assert_eq!(place(url), (endpoint.to_owned(), tls, database, user, password), "{url}");
        }
    }

    #[test]
    fn bad_urls_name_the_part_and_show_no_secret() {
        for (url, says) in [
            ("", "redis://, rediss://"),
            ("localhost:6379", "redis://, rediss://"),
            ("http://u:hunter2@h", "redis://, rediss://"),
            ("Redis://h", "valkeys://"),
            ("redis://", "no host"),
            ("redis:///0", "no host"),
            ("redis://:hunter2@", "no host"),
            ("redis://:hunter2@h:99999", "port"),
            ("redis://:hunter2@h:0", "port"),
            ("redis://:hunter2@h:+1", "port"),
            ("redis://:hunter2@h/x", "database"),
            ("redis://:hunter2@h/-1", "database"),
            ("redis://:hunter2@h/1/2", "database"),
            ("redis://:hunter2%zz@h", "%25"),
            ("redis://:hunter2%ff@h", "UTF-8"),
            ("redis://:hunter2@h?db=1", "query"),
            ("redis://hunter2@h", "no password"),
            ("redis://:hunter2@h h", "character"),
            ("redis://[::1", "closing"),
            ("redis://[h]", "IPv6"),
            ("redis://[::1]x", "between"),
            ("unix://run/s", "absolute"),
            ("unix:///s?pass=hunter2&timeout=1", "db, user and pass"),
            ("unix:///s?db=x", "database"),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            assert!(error.message().contains(says), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}: {error}");
        }
    }
}
