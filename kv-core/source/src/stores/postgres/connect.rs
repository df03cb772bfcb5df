//! How a connection is made.

use std::time::Duration;

use super::line::protocol;
use super::line::protocol::Config;
use kv_core::{Error, ErrorKind, Result};

use super::options::{Endpoint, PostgresOptions};

/// What a connection is made with. No I/O was done for it.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) address: String,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    /// How long the server lets a statement take; `None` where it is not ours to say.
    pub(super) statement_timeout: Option<Duration>,
    pub(super) pooler: bool,
    pub(super) size: usize,
    options: PostgresOptions,
}

/// Whether and how a connection is encrypted.
pub(super) enum Security {
    Plain,
    #[cfg(feature = "postgres-tls")]
    Tls(Box<super::line::MakeRustlsConnect>),
}

impl Settings {
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for options that cannot work.
    pub(super) fn new(options: &PostgresOptions) -> Result<Self> {
        let refuse = |message: &'static str| Err(Error::new(ErrorKind::Configuration, message));
        if options.connect_timeout.is_zero() || options.response_timeout.is_zero() {
            return refuse("a time-out is zero; it takes a positive time");
        }
        if options.pool_size == 0 {
            return refuse("the pool size is 0; it takes 1 or more");
        }
        if options.tls && !cfg!(feature = "postgres-tls") {
            return refuse("TLS is not built in; enable the feature `postgres-tls` of this crate");
        }
        let mut config = Config::new();
        match &options.endpoint {
            Endpoint::Tcp { host, .. } if host.is_empty() => return refuse("the host is empty"),
            Endpoint::Tcp { host, port } => config.host(host).port(*port),
            Endpoint::Unix { .. } if options.tls => return refuse("TLS over a Unix socket is not supported"),
            Endpoint::Unix { .. } if !cfg!(unix) => return refuse("this system has no Unix sockets"),
            #[cfg(unix)]
            Endpoint::Unix { folder, port } => config.host_path(folder).port(*port),
            #[cfg(not(unix))]
            Endpoint::Unix { .. } => &mut config,
        };
        for text in [&options.username, &options.password, &options.database].into_iter().flatten() {
            if text.contains('\0') {
                return refuse("the user, the password or the database holds a NUL, which the protocol cannot say");
            }
        }
        if let Some(username) = &options.username {
            config.user(username);
        }
        if let Some(password) = &options.password {
            config.password(password);
        }
        if let Some(database) = &options.database {
            config.dbname(database);
        }
        config.application_name(options.application_name.as_deref().unwrap_or("kv")).ssl_mode(match options.tls {
            true => protocol::config::SslMode::Require,
            false => protocol::config::SslMode::Disable,
        });
        // A pooler knows none of these, and may refuse a connection that asks for them.
        let statement_timeout = options.statement_timeout.filter(|_| !options.pooler);
        if !options.pooler {
            let mut asked = "-c default_transaction_isolation=read\\ committed".to_owned();
            if let Some(timeout) = statement_timeout {
                asked.push_str(&format!(" -c statement_timeout={}", millis(timeout)));
            }
            config.options(asked);
        }
        Ok(Self {
            config,
            address: options.endpoint.to_string(),
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            statement_timeout,
            pooler: options.pooler,
            size: options.pool_size,
            options: options.clone(),
        })
    }

    /// How long the server is to let a statement take whose answer is waited for so long; `None` if it is to be left.
    pub(super) fn statement_timeout_for(&self, patience: Duration) -> Option<Duration> {
        self.statement_timeout.map(|usual| if patience > self.response_timeout { patience.max(usual) } else { usual })
    }

    /// Reads the system's certificates, if they are to be trusted.
    #[cfg(not(feature = "postgres-tls"))]
    #[allow(clippy::unnecessary_wraps, reason = "it can fail where TLS is built in")]
    pub(super) fn security(&self) -> Result<Security> {
        let _ = &self.options;
        Ok(Security::Plain)
    }

    /// Reads the system's certificates, if they are to be trusted.
    #[cfg(feature = "postgres-tls")]
    pub(super) fn security(&self) -> Result<Security> {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};

        if !self.options.tls {
            return Ok(Security::Plain);
        }
        // The error's own text could show a part of the PEM.
        let wrong = || Error::new(ErrorKind::Configuration, "the certificates or the key are no PEM text of that kind");
        let chain = |pem: &[u8]| -> Result<Vec<CertificateDer<'static>>> {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(wrong)
        };
        let mut roots = rustls::RootCertStore::empty();
        match &self.options.ca_certificate {
            Some(pem) => {
                for certificate in chain(pem)? {
                    roots.add(certificate).map_err(|_| wrong())?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().map_err(|_| wrong())?.with_root_certificates(roots);
        let config = match &self.options.client_certificate {
            None => builder.with_no_client_auth(),
            Some((pem, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong())?;
                builder.with_client_auth_cert(chain(pem)?, key).map_err(|_| wrong())?
            }
        };
        Ok(Security::Tls(Box::new(super::line::MakeRustlsConnect::new(config))))
    }
}

/// Whole milliseconds, at least one.
pub(super) fn millis(timeout: Duration) -> u128 {
    // What the server takes at most.
    timeout.as_micros().div_ceil(1000).clamp(1, 2_147_483_647)
}
