//! URLs of servers.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode};

use super::Kind;
use crate::error::{Error, Result};

/// What a URL says: `scheme://[[user]:password@]host[:port][/path]`. Of several hosts, the first.
pub(crate) struct Address {
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// A database, for most.
    pub(crate) path: Option<String>,
}

impl Address {
    pub(crate) fn parse(kind: Kind, url: &str) -> Result<Self> {
        // No part of the URL in the message: it may be the password.
        let wrong = || Error::new(format!("not a URL like {}", kind.example()));
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let (mut tls, port) = match (kind, scheme) {
            (Kind::Redis | Kind::Valkey, "redis" | "valkey") => (false, 6379),
            (Kind::Redis | Kind::Valkey, "rediss" | "valkeys") => (true, 6379),
            (Kind::Postgres, "postgres" | "postgresql") => (false, 5432),
            (Kind::Mongodb, "mongodb") => (false, 27017),
            (Kind::Mongodb, "mongodb+srv") => (true, 27017),
            (Kind::Opensearch | Kind::Elasticsearch, "http") => (false, 9200),
            (Kind::Opensearch | Kind::Elasticsearch, "https") => (true, 9200),
            _ => return Err(wrong()),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        tls |= query.split('&').any(|pair| {
            ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "tls=true", "ssl=true"].contains(&pair)
        });
        let (login, places) =
            authority.rsplit_once('@').map_or((None, authority), |(login, place)| (Some(login), place));
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (Some(decode(user)), Some(decode(password))),
            None => (None, None),
        };
        let given = |part: Option<String>| part.filter(|part| !part.is_empty());
        let place = places.split(',').next().unwrap_or_default();
        // A colon inside brackets belongs to the address: [::1]
        let (host, port) = match place.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (place, port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = if host.is_empty() { "localhost" } else { host }.to_owned();
        let path = rest.split(['?', '#']).next().and_then(|rest| rest.split_once('/')).map(|(_, path)| decode(path));
        Ok(Self { tls, user: given(user), password: given(password), host, port, path: given(path) })
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// All but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// `user:password@` of a URL, or nothing.
pub(crate) fn login(user: Option<&str>, password: Option<&str>) -> String {
    let login = password.map(|word| format!("{}:{}@", encode(user.unwrap_or_default()), encode(word)));
    login.or_else(|| user.map(|user| format!("{}@", encode(user)))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        let of = |kind: Kind, url: &str| {
            let address = Address::parse(kind, url).unwrap();
            (address.tls, address.user, address.password, address.host, address.port)
        };
        let parts = |url: &str| of(Kind::Redis, url);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("redis://localhost"), (false, None, None, "localhost".into(), 6379));
        assert_eq!(parts("rediss://[::1]:7000/2"), (true, None, None, "::1".into(), 7000));
        assert_eq!(parts("valkey://:p%40s%2f@h:1?x=1"), (false, None, some("p@s/"), "h".into(), 1));
        assert_eq!(parts("redis://me:s@x@h:1/0"), (false, some("me"), some("s@x"), "h".into(), 1));
        let odd = "a b/ü:%@";
        assert_eq!(parts(&format!("redis://{0}:{0}@h", encode(odd))), (false, some(odd), some(odd), "h".into(), 6379));
        let postgres = of(Kind::Postgres, "postgresql://postgres@h/db?connect_timeout=1&sslmode=require");
        assert_eq!(postgres, (true, some("postgres"), None, "h".into(), 5432));
        let path = |url: &str| Address::parse(Kind::Postgres, url).unwrap().path;
        assert_eq!(
            (path("postgres://h/a%20b?x=/"), path("postgres://h/"), path("postgres://h?x=/")),
            (some("a b"), None, None)
        );
        assert_eq!(of(Kind::Mongodb, "mongodb://a:b@one:1,two:2/?x=y").4, 1);
        assert_eq!(of(Kind::Opensearch, "https://h").4, 9200);
        for wrong in ["localhost:6379", "http://secret@h", "redis://h:99999"] {
            let message = Address::parse(Kind::Redis, wrong).err().unwrap().to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
