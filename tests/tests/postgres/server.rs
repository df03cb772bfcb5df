//! The server, and a plain client to look at what it holds.

use kv_tests::Unavailable;

/// A server that answers.
#[derive(Clone, Debug)]
pub(crate) struct Server(kv_tests::servers::Server);

impl std::ops::Deref for Server {
    type Target = kv_tests::servers::Server;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// The shared PostgreSQL.
pub(crate) fn postgres() -> Result<Server, Unavailable> {
    kv_tests::servers::postgres().map(Server)
}

impl Server {
    /// Runs a script on a thread of its own: the client must not be used inside a runtime.
    pub(crate) fn run(&self, sql: &str) {
        let (url, sql) = (self.url.clone(), sql.to_owned());
        let thread = std::thread::spawn(move || {
            let mut client = ::postgres::Client::connect(&url, ::postgres::NoTls).unwrap();
            client.batch_execute(&sql).unwrap();
        });
        thread.join().unwrap();
    }

    /// The first column of what a query gives, as text.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Option<String>> {
        let (url, sql) = (self.url.clone(), sql.to_owned());
        let thread = std::thread::spawn(move || {
            let mut client = ::postgres::Client::connect(&url, ::postgres::NoTls).unwrap();
            let messages = client.simple_query(&sql).unwrap();
            let row = |message| match message {
                ::postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
                _ => None,
            };
            messages.into_iter().filter_map(row).collect()
        });
        thread.join().unwrap()
    }

    /// The only value that a query gives.
    pub(crate) fn value(&self, sql: &str) -> Option<String> {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        rows.remove(0)
    }
}

/// A table of a test's own, dropped with this.
#[derive(Debug)]
pub(crate) struct TestTable {
    pub(crate) server: Server,
    pub(crate) name: String,
}

impl TestTable {
    pub(crate) fn new(server: Server) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let micros = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_micros();
        Self { server, name: format!("kv_test_{}_{micros}_{number}", std::process::id()) }
    }
}

impl Drop for TestTable {
    fn drop(&mut self) {
        let Self { server, name } = self;
        server.run(&format!("DROP TABLE IF EXISTS {name}; DROP FUNCTION IF EXISTS {name}_kv_forget"));
    }
}
