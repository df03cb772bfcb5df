//! `[user[:password]@]host[:port]`, for the stores that read their URLs themselves.

use std::str::FromStr;

use kv_core::Result;

use super::{decode, wrong};

pub(crate) struct Authority {
    /// The user, and the password if there is a colon.
    pub(crate) login: Option<(String, Option<String>)>,
    /// Empty if the URL names none; an IPv6 address stands without its brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Authority {
    /// Reads what stands behind the scheme. Answers the path too, without the first `/`, and the query.
    pub(crate) fn parse(rest: &str) -> Result<(Self, &str, &str)> {
        // A password may hold what ends the authority, if somebody forgot to encode it; after the last @ is the host.
        let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        let login = login.map(|login| match login.split_once(':') {
            Some((user, password)) => Ok((decode(user)?, Some(decode(password)?))),
            None => Ok((decode(login)?, None)),
        });
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let (host, number) = host_and_port(authority)?;
        let port = (!number.is_empty()).then(|| Self::port(number)).transpose()?;
        Ok((Self { login: login.transpose()?, host: host.to_owned(), port }, path, query))
    }

    /// A port's number.
    pub(crate) fn port(text: &str) -> Result<u16> {
        digits(text).filter(|port| *port > 0).ok_or_else(|| wrong("the URL's port is no number from 1 to 65535"))
    }
}

fn host_and_port(authority: &str) -> Result<(&str, &str)> {
    let (host, port) = match authority.strip_prefix('[') {
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
    if authority.contains(',') {
        return Err(wrong("the URL names several hosts; this store takes one"));
    }
    let is_host = |c: char| c.is_alphanumeric() || "-._:".contains(c);
    if !host.chars().all(is_host) {
        return Err(wrong("the URL's host has a character that no host name has"));
    }
    Ok((host, port))
}

/// A number of digits alone: `parse` takes a sign too.
pub(crate) fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
