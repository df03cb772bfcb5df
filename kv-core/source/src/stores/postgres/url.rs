//! URLs of servers.

use std::path::PathBuf;
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};

use super::options::{Endpoint, PostgresOptions};

const OPTIONS: &str =
    "sslmode, host, port, user, password, dbname, application_name, connect_timeout, schema and table";

/// Nothing of the URL may be in a message: what stands wrong could be the password.
fn wrong(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Configuration, what)
}

pub(super) fn parse(url: &str) -> Result<PostgresOptions> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| wrong("the server's URL begins with none of postgres://, postgresql://"))?;
    if rest.contains('#') {
        return Err(wrong("the URL has a fragment (percent-encode #)"));
    }
    // A password may hold what ends the authority, if somebody forgot to encode it; after the last @ is the host.
    let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let mut options = PostgresOptions::default();
    let (host, port) = host_and_port(authority)?;
    options.endpoint = Endpoint::Tcp { host, port };
    if let Some(login) = login {
        let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
        options.username = Some(decode(user)?).filter(|user| !user.is_empty());
        options.password = password.map(decode).transpose()?.filter(|password| !password.is_empty());
    }
    if path.contains('/') {
        return Err(wrong("the URL's path has more than the database (percent-encode /)"));
    }
    options.database = Some(decode(path)?).filter(|database| !database.is_empty());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        options = set(options, name, &decode(value)?)?;
    }
    match &options.endpoint {
        Endpoint::Tcp { host, .. } if host.is_empty() => Err(wrong("the URL names no host")),
        Endpoint::Unix { .. } if options.tls => Err(wrong("TLS over a Unix socket is not supported")),
        _ => Ok(options),
    }
}

fn set(options: PostgresOptions, name: &str, value: &str) -> Result<PostgresOptions> {
    Ok(match name {
        "sslmode" => match value {
            "disable" => options.with_tls(false),
            "require" | "verify-ca" | "verify-full" => options.with_tls(true),
            _ => return Err(wrong("the URL's sslmode is none of disable, require, verify-ca, verify-full")),
        },
        "host" if value.starts_with('/') => {
            let port = options.clone().endpoint.port();
            PostgresOptions { endpoint: Endpoint::Unix { folder: PathBuf::from(value), port }, ..options }
        }
        "host" => options.with_host(value),
        "port" => options.with_port(port(value)?),
        "user" => options.with_username(value),
        "password" => options.with_password(value),
        "dbname" => options.with_database(value),
        "application_name" => options.with_application_name(value),
        "connect_timeout" => {
            let seconds = digits::<u32>(value).filter(|seconds| *seconds > 0);
            let seconds = seconds.ok_or_else(|| wrong("the URL's connect_timeout is no number of seconds"))?;
            options.with_connect_timeout(Duration::from_secs(seconds.into()))
        }
        "schema" => options.with_schema(value),
        "table" => options.with_table(value),
        _ => return Err(wrong(format!("the URL has an unknown option; it takes {OPTIONS}"))),
    })
}

impl Endpoint {
    fn port(&self) -> u16 {
        match self {
            Self::Tcp { port, .. } | Self::Unix { port, .. } => *port,
        }
    }
}

fn host_and_port(authority: &str) -> Result<(String, u16)> {
    let (host, number) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(|| wrong("the URL's IPv6 address has no closing ]"))?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong("the URL's host in [] is no IPv6 address"))?;
            match rest.strip_prefix(':') {
                Some(port) => (host, port),
                None if rest.is_empty() => (host, ""),
                None => return Err(wrong("the URL has something between the host and the port")),
            }
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    if host.contains(',') || number.contains(',') {
        return Err(wrong("the URL names several hosts; this store takes one"));
    }
    let is_host = |c: char| c.is_alphanumeric() || "-._:".contains(c);
    if !host.chars().all(is_host) {
        return Err(wrong("the URL's host has a character that no host name has"));
    }
    Ok((host.to_owned(), if number.is_empty() { PostgresOptions::DEFAULT_PORT } else { port(number)? }))
}

fn port(text: &str) -> Result<u16> {
    digits(text).filter(|port| *port > 0).ok_or_else(|| wrong("the URL's port is no number from 1 to 65535"))
}

/// A number of digits alone: `parse` takes a sign too.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn decode(text: &str) -> Result<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = byte.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.ok_or_else(|| wrong("the URL has a % that two hex digits do not follow; % itself is %25"))?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| wrong("a part of the URL, percent-decoded, is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_urls() {
        let some = |text: &str| Some(text.to_owned());
        for (url, endpoint, tls, database, user, password) in [
            ("postgres://localhost", "localhost:5432", false, None, None, None),
            ("postgresql://example.com:7000/shop", "example.com:7000", false, some("shop"), None, None),
            ("postgres://app:p%40s%2f@h/d?sslmode=verify-full", "h:5432", true, some("d"), some("app"), some("p@s/")),
            ("postgres://app@h/d?sslmode=require&sslmode=disable", "h:5432", false, some("d"), some("app"), None),
            ("postgres://a:b@c@h", "h:5432", false, None, some("a"), some("b@c")),
            ("postgres://[::1]:1/a%20b", "::1:1", false, some("a b"), None, None),
            ("postgres:///d?host=/run/pg&port=7", "/run/pg:7", false, some("d"), None, None),
            ("postgres:///?host=h&user=u&password=%25&dbname=d", "h:5432", false, some("d"), some("u"), some("%")),
        ] {
            let options = parse(url).unwrap();
            assert_eq!(options.endpoint.to_string(), endpoint, "{url}");
            assert_eq!((options.tls, options.database), (tls, database), "{url}");
            assert_eq!((options.username, options.password), (user, password), "{url}");
        }
        let all = "postgres://h?application_name=x&connect_timeout=3&schema=My%20S&table=T";
        let options = parse(all).unwrap();
        assert_eq!((&*options.schema, &*options.table), ("My S", "T"));
        assert_eq!((options.application_name, options.connect_timeout), (some("x"), Duration::from_secs(3)));
    }

    #[test]
    fn bad_urls_are_refused_without_their_secrets() {
        for (url, says) in [
            ("", "postgres://, postgresql://"),
            ("localhost:5432", "postgres://"),
            ("mysql://u:hunter2@h", "postgres://"),
            ("postgres://", "no host"),
            ("postgres:///db", "no host"),
            ("postgres://u:hunter2@", "no host"),
            ("postgres://u:hunter2@h:0", "port"),
            ("postgres://u:hunter2@h:99999", "port"),
            ("postgres://u:hunter2@h:+1", "port"),
            ("postgres://u:hunter2@h?port=x", "port"),
            ("postgres://u:hunter2@h/a/b", "path"),
            ("postgres://u:hunter2%zz@h", "%25"),
            ("postgres://u:hunter2%ff@h", "UTF-8"),
            ("postgres://u:hunter2@h/d#x", "fragment"),
            ("postgres://u:hunter2@h h", "character"),
            ("postgres://u:hunter2@a,b", "several"),
            ("postgres://[::1", "closing"),
            ("postgres://[h]", "IPv6"),
            ("postgres://[::1]x", "between"),
            ("postgres://u:hunter2@h?sslmode=prefer", "verify-full"),
            ("postgres://u:hunter2@h?connect_timeout=-1", "seconds"),
            ("postgres://h?password=hunter2&statement_cache_size=0", "application_name"),
            ("postgres:///?host=/run&sslmode=require&password=hunter2", "Unix"),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            assert!(error.message().contains(says), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}: {error}");
        }
    }
}
