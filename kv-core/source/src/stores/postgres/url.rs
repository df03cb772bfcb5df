//! URLs of servers.

use std::path::PathBuf;
use std::time::Duration;

use kv_core::Result;

use super::options::{Endpoint, PostgresOptions};
use crate::address::{Authority, decode, digits, wrong};

const OPTIONS: &str =
    "sslmode, host, port, user, password, dbname, application_name, connect_timeout, schema and table";

pub(super) fn parse(url: &str) -> Result<PostgresOptions> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| wrong("the server's URL begins with none of postgres://, postgresql://"))?;
    if rest.contains('#') {
        return Err(wrong("the URL has a fragment (percent-encode #)"));
    }
    let (authority, path, query) = Authority::parse(rest)?;
    let endpoint =
        Endpoint::Tcp { host: authority.host, port: authority.port.unwrap_or(PostgresOptions::DEFAULT_PORT) };
    let mut options = PostgresOptions { endpoint, ..PostgresOptions::default() };
    if let Some((user, password)) = authority.login {
        options.username = Some(user).filter(|user| !user.is_empty());
        options.password = password.filter(|password| !password.is_empty());
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
        "port" => options.with_port(Authority::port(value)?),
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

#[cfg(test)]
mod tests {
    use kv_core::ErrorKind;

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
