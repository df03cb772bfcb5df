//! What needs no server. Time-outs, faults, several nodes and TLS are tested through the stores, at a proxy.

use super::node::Node;
use super::*;

#[test]
fn a_url_says_where_and_who() {
    for (url, base, is_tls) in [
        ("http://localhost:9200", "http://localhost:9200", false),
        ("https://example.com/", "https://example.com", true),
        ("http://[::1]:9200/search/", "http://[::1]:9200/search", false),
        ("HTTPS://user:p%40ss@Example.com:443", "https://example.com", true),
    ] {
        let (node, _) = Node::parse(url).unwrap();
        assert_eq!((node.url("/x?y").as_str(), node.is_tls()), (format!("{base}/x?y").as_str(), is_tls), "{url}");
    }
    let (_, login) = Node::parse("http://u%3Aser:p%40ss@h").unwrap();
    let login = login.unwrap();
    assert_eq!((login.user.as_str(), login.password.as_str()), ("u:ser", "p@ss"));
}

#[test]
fn a_wrong_url_is_refused_without_showing_it() {
    for url in [
        "localhost:9200",
        "hunter2",
        "redis://:hunter2@localhost",
        "http://",
        "http://hunter2@localhost",
        "http://user:hunter2@localhost/?x",
        "http://user:hunter2@localhost/#x",
        "http://user:hunter2%FF@localhost",
        "http://user:hunter2%zz@localhost",
        "http://user:hunter2@local host",
    ] {
        let error = HttpOptions::from_url(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn what_cannot_work_is_refused_before_there_is_any_io() {
    let options = || HttpOptions::from_url("https://user:hunter2@localhost").unwrap();
    assert!(!format!("{:?}", Http::new(options()).unwrap()).contains("hunter2"));
    let zero = HttpOptions { timeout: Duration::ZERO, ..options() };
    for wrong in [
        options().with_authorization("Bearer a\nb"),
        options().with_certificates("no certificate"),
        options().with_certificates("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"),
        zero,
    ] {
        assert_eq!(Http::new(wrong).unwrap_err().kind(), ErrorKind::Configuration);
    }
}

#[test]
fn a_status_has_a_kind() {
    for (status, kind, retryable) in [
        (302, ErrorKind::Configuration, false),
        (400, ErrorKind::Backend, false),
        (401, ErrorKind::PermissionDenied, false),
        (403, ErrorKind::PermissionDenied, false),
        (408, ErrorKind::Timeout, true),
        (413, ErrorKind::TooLarge, false),
        (429, ErrorKind::Connection, true),
        (500, ErrorKind::Backend, false),
        (503, ErrorKind::Connection, true),
        (504, ErrorKind::Timeout, true),
        (507, ErrorKind::Full, false),
    ] {
        let headers = vec![("retry-after".to_owned(), "7".to_owned())];
        let error = refusal(&Response::new(status, headers, b"hunter2".to_vec()));
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
