//! Certificates for one test, made by the `openssl` command.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use tempfile::TempDir;

use crate::error::{Context, Error, Result};

const CONFIG: &str = "\
[req]
distinguished_name = name
prompt = no
[name]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
subjectAltName = DNS:localhost,IP:127.0.0.1
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth,clientAuth
";

/// A certificate authority of its own, and one certificate of it for `localhost` and `127.0.0.1`, good for a server and
/// for a client. The files go away with this.
#[derive(Debug)]
pub struct Certs {
    dir: TempDir,
}

impl Certs {
    /// Makes new ones. Two calls give two authorities that do not trust each other.
    ///
    /// # Errors
    /// When the `openssl` command is missing or fails.
    pub fn generate() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("kv-certs-").tempdir()?;
        std::fs::write(dir.path().join("openssl.cnf"), CONFIG)?;
        let config = ["-config", "openssl.cnf"];
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let ca = [
            "-x509",
            "-days",
            "3650",
            "-subj",
            "/CN=test-ca",
            "-extensions",
            "ca",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
        ];
        openssl(dir.path(), &[&["req"], &config[..], &key, &ca])?;
        let request = ["-subj", "/CN=localhost", "-keyout", "leaf.key", "-out", "leaf.csr"];
        openssl(dir.path(), &[&["req"], &config[..], &key, &request])?;
        let sign = ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
        let out = ["-days", "3650", "-extfile", "openssl.cnf", "-extensions", "leaf", "-out", "leaf.crt"];
        openssl(dir.path(), &[&sign, &out])?;
        Ok(Self { dir })
    }

    /// The authority's certificate: what a client must trust.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// The certificate of the server, and of a client that must show one.
    pub fn cert(&self) -> PathBuf {
        self.dir.path().join("leaf.crt")
    }

    /// The key of [`cert`](Self::cert).
    pub fn key(&self) -> PathBuf {
        self.dir.path().join("leaf.key")
    }
}

/// Speaks TLS on a connection to `localhost`, trusting this authority alone.
pub(crate) fn client(stream: TcpStream, ca: &Path) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).context(|| ca.display().to_string())?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").context(|| "a host name".to_owned())?;
    Ok(StreamOwned::new(ClientConnection::new(Arc::new(config), name)?, stream))
}

fn openssl(dir: &Path, args: &[&[&str]]) -> Result<()> {
    let output = Command::new("openssl")
        .args(args.concat())
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .context(|| "the openssl command, which makes the test certificates".to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::new(format!("openssl failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
