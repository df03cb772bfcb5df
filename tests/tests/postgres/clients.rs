//! Clients: handed in, in more than one runtime, inside a runtime; poolers.

use std::time::Duration;

use kv_core::ErrorKind;
use kv_sync::Store as _;
use kv_tests::need;
use kv_tests::proxy::{Mode, Proxy};

use crate::server::{TestTable, postgres};
use crate::setup::Setup;
use crate::side::{Side, each, runtime};

/// Manages blocking connections, as `r2d2_postgres` does.
#[derive(Debug)]
struct Manager(::postgres::Config);

impl r2d2::ManageConnection for Manager {
    type Connection = ::postgres::Client;
    type Error = ::postgres::Error;

    fn connect(&self) -> Result<::postgres::Client, ::postgres::Error> {
        self.0.connect(::postgres::NoTls)
    }

    fn is_valid(&self, _: &mut ::postgres::Client) -> Result<(), ::postgres::Error> {
        Ok(())
    }

    fn has_broken(&self, client: &mut ::postgres::Client) -> bool {
        client.is_closed()
    }
}

fn blocking_pool(url: &str) -> r2d2::Pool<Manager> {
    let manager = Manager(url.parse().unwrap());
    r2d2::Pool::builder().max_size(2).min_idle(Some(0)).test_on_check_out(false).build_unchecked(manager)
}

#[test]
fn a_pool_that_was_handed_in_works_on_after_close() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let pool = blocking_pool(&server.url);
    let options = kv_sync::stores::PostgresOptions::default().with_table(&*table.name);
    let kv = kv_sync::Kv::new(kv_sync::stores::PostgresStore::from_pool_v0_with(pool.clone(), options).unwrap());
    kv.put("k", &1).unwrap();
    assert_eq!(kv.get::<i64>("k").unwrap(), Some(1));
    assert_eq!(kv.increment("k", 1).unwrap(), 2);
    kv.put_many(&[("a", 1), ("b", 2)], &kv_core::PutOptions::default()).unwrap();
    kv.close().unwrap();
    assert_eq!(pool.get().unwrap().query("SELECT 1", &[]).unwrap().len(), 1);
    assert_eq!(kv.get::<i64>("k").unwrap(), Some(2), "and so does the store");
    // Inside a runtime too.
    runtime().block_on(async { assert_eq!(kv.get::<i64>("a").unwrap(), Some(1)) });

    let runtime = runtime();
    runtime.block_on(async {
        let manager = deadpool_postgres::Manager::new(server.url.parse().unwrap(), tokio_postgres::NoTls);
        let pool = deadpool_postgres::Pool::builder(manager).max_size(2).build().unwrap();
        let options = kv_async::stores::PostgresOptions::default().with_table(&*table.name);
        let kv = kv_async::Kv::new(kv_async::stores::PostgresStore::from_pool_v0_with(pool.clone(), options).unwrap());
        assert_eq!(kv.get::<i64>("k").await.unwrap(), Some(2));
        assert_eq!(kv.increment("k", 1).await.unwrap(), 3);
        pool.get().await.unwrap().batch_execute("DEALLOCATE ALL").await.unwrap();
        assert_eq!(kv.increment("k", 1).await.unwrap(), 4);
        kv.close().await.unwrap();
        assert_eq!(pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap().len(), 1);
        assert_eq!(kv.get::<i64>("k").await.unwrap(), Some(4));
    });
}

#[test]
fn a_handed_in_pool_gets_no_connection_back_that_waits_for_an_answer() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let proxy = Proxy::start((&*server.host, server.port)).unwrap();
    let mut config: tokio_postgres::Config = server.url.parse().unwrap();
    config = {
        let mut other = tokio_postgres::Config::new();
        other.host("127.0.0.1").port(proxy.port()).user(config.get_user().unwrap());
        other.dbname(config.get_dbname().unwrap());
        other
    };
    let options = kv_async::stores::PostgresOptions::default().with_table(&*table.name);
    let manager = Manager(config.clone().into());
    let pool = r2d2::Pool::builder().max_size(1).min_idle(Some(0)).test_on_check_out(false).build_unchecked(manager);
    let blocking = {
        let options = kv_sync::stores::PostgresOptions::default().with_table(&*table.name);
        kv_sync::Kv::new(kv_sync::stores::PostgresStore::from_pool_v0_with(pool.clone(), options).unwrap())
    };
    blocking.put("a", &1).unwrap();
    blocking.put("b", &2).unwrap();
    proxy.set_mode(Mode::BlackHole);
    let error = blocking.with_timeout(Duration::from_millis(200)).get::<i64>("a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    proxy.set_mode(Mode::Pass);
    proxy.reset_connections();
    // Whoever waits in such a pool while a connection ends is not given a new one.
    while pool.state().connections > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(blocking.get::<i64>("b").unwrap(), Some(2));
    runtime().block_on(async {
        let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
        let pool = deadpool_postgres::Pool::builder(manager).max_size(1).build().unwrap();
        let kv = kv_async::Kv::new(kv_async::stores::PostgresStore::from_pool_v0_with(pool, options).unwrap());
        assert_eq!(kv.get::<i64>("a").await.unwrap(), Some(1));
        proxy.set_mode(Mode::BlackHole);
        let error = kv.with_timeout(Duration::from_millis(200)).get::<i64>("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        proxy.set_mode(Mode::Pass);
        assert_eq!(kv.get::<i64>("b").await.unwrap(), Some(2));
    });
}

#[test]
fn a_blocking_store_works_inside_a_runtime() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let options = kv_sync::stores::PostgresOptions::from_url(&server.url).unwrap().with_table(&*table.name);
    for runtime in [runtime(), tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()] {
        let store = kv_sync::stores::PostgresStore::with_options(options.clone()).unwrap();
        runtime.block_on(async {
            let kv = kv_sync::Kv::new(store);
            kv.put("k", &1).unwrap();
            assert_eq!(kv.get::<i64>("k").unwrap(), Some(1));
            std::thread::sleep(Duration::from_millis(150));
            assert_eq!(kv.increment("k", 1).unwrap(), 2);
            kv.close().unwrap();
            assert_eq!(kv.get::<i64>("k").unwrap(), Some(2));
            // Connections end here, too.
            drop(kv);
        });
    }
}

#[test]
fn a_store_outlives_the_runtime_of_its_first_use() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let options = kv_async::stores::PostgresOptions::from_url(&server.url).unwrap().with_table(&*table.name);
    let kv = kv_async::Kv::new(kv_async::stores::PostgresStore::with_options(options.with_pool_size(2)).unwrap());
    let current = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    current().block_on(async { kv.put("k", &1).await.unwrap() });
    for round in 0..20 {
        let next = current();
        next.block_on(async { assert_eq!(kv.increment("k", 1).await.unwrap(), round + 2) });
    }
    // Three that live take turns at two connections; none is driven while another works.
    let runtimes = [current(), current(), current()];
    for _ in 0..5 {
        for runtime in &runtimes {
            runtime.block_on(async { assert!(kv.exists("k").await.unwrap()) });
        }
    }
}

#[test]
fn dropped_futures_leave_the_store_usable() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let options = kv_async::stores::PostgresOptions::from_url(&server.url).unwrap().with_table(&*table.name);
    let kv = kv_async::Kv::new(kv_async::stores::PostgresStore::with_options(options.with_pool_size(2)).unwrap());
    runtime().block_on(async {
        for micros in 0..100 {
            let _ = tokio::time::timeout(Duration::from_micros(micros * 5), kv.increment("n", 1)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before: i64 = kv.get("n").await.unwrap().unwrap_or(0);
        assert_eq!(kv.increment("n", 1).await.unwrap(), before + 1);
    });
}

#[test]
fn outside_a_runtime_the_async_store_says_so() {
    let kv = kv_async::Kv::new(kv_async::stores::PostgresStore::connect("postgres://127.0.0.1:1").unwrap());
    let mut get = Box::pin(kv.get::<i64>("k"));
    let waker = std::task::Waker::noop();
    let std::task::Poll::Ready(answer) = get.as_mut().poll(&mut std::task::Context::from_waker(waker)) else {
        panic!("it waits");
    };
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn many_callers_share_few_connections() {
    let Some(server) = need(postgres()) else { return };
    let table = TestTable::new(server.clone());
    let setup = Setup { table: table.name.clone(), pool_size: Some(2), ..Setup::url(&server.url) };
    each(&setup, |side| match side {
        Side::Sync(kv) => std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20).for_each(|_| assert!(kv.increment("n", 1).unwrap() > 0)));
            }
        }),
        Side::Async(runtime, kv) => runtime.block_on(async {
            let tasks = (0..8).map(|_| {
                let kv = kv.clone();
                tokio::spawn(async move {
                    for _ in 0..20 {
                        kv.increment("n", 1).await.unwrap();
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
        }),
    });
    let side = Side::blocking(&setup);
    assert_eq!(side.get("n").unwrap(), Some(320), "no increment was lost");
    assert_eq!(kv_sync::stores::PostgresStore::connect(&server.url).unwrap().describe().name, "PostgreSQL");
}

/// What a pooler in transaction mode does to a session between two transactions.
#[test]
fn statements_that_another_client_dropped() {
    let Some(server) = need(postgres()) else { return };
    for pooler in [false, true] {
        let table = TestTable::new(server.clone());
        // One connection, whose session the test gets at by a trigger of its own.
        let setup = Setup { table: table.name.clone(), pooler, pool_size: Some(1), ..Setup::url(&server.url) };
        each(&setup, |side| {
            side.put("k", 1).unwrap();
            server.run(&format!(
                "CREATE OR REPLACE FUNCTION {0}_forgets() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF NEW.key = 'forget' THEN EXECUTE 'DEALLOCATE ALL'; END IF; RETURN NEW; END $$; \
                 DROP TRIGGER IF EXISTS forgets ON {0}; \
                 CREATE TRIGGER forgets BEFORE INSERT ON {0} FOR EACH ROW EXECUTE FUNCTION {0}_forgets()",
                table.name
            ));
            assert_eq!(side.get("k").unwrap(), Some(1));
            let _ = side.put("forget", 1);
            assert_eq!(side.get("k").unwrap(), Some(1), "{}", side.name());
            side.put("k", 2).unwrap();
            assert!(side.delete("k").unwrap());
            server.run(&format!("DROP FUNCTION {}_forgets CASCADE", table.name));
        });
    }
}
