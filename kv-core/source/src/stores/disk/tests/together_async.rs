//! Doing things at the same time: tasks.

use std::pin::pin;
use std::task::{Context, Waker};

use kv_core::PutOptions;

use super::directory;
use crate::Kv;
use crate::stores::DiskStore;

/// Runs `work` as often as `times` says, all at once, and gives what each came to.
pub(super) async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    times: usize,
    work: impl Fn(usize) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..times).map(|number| tokio::spawn(work(number))).collect();
    let mut all = Vec::with_capacity(times);
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}

#[test]
fn a_handle_outlives_the_runtime_that_it_was_first_used_in() {
    let directory = directory();
    let kv = Kv::new(DiskStore::open(directory.path().join("a.db")));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime().block_on(kv.put("a", &1)).unwrap();
    let found = runtime().block_on(kv.increment("a", 1)).unwrap();
    assert_eq!(found, 2);
    assert_eq!(runtime().block_on(kv.get::<u8>("a")).unwrap(), Some(2));
    assert_eq!(runtime().block_on(kv.all_collections()).unwrap().len(), 1);
}

#[tokio::test]
async fn a_write_whose_future_is_dropped_happens_whole_or_not_at_all() {
    let directory = directory();
    let kv = Kv::new(DiskStore::open(directory.path().join("a.db")));
    kv.setup().await.unwrap();
    let options = PutOptions::default();
    let batch: Vec<_> = (0..100).map(|number| (format!("k{number}"), number)).collect();
    for _ in 0..50 {
        kv.clear().await.unwrap();
        {
            let put = pin!(kv.put_many(&batch, &options));
            // The thread may have been quick.
            let _ = put.poll(&mut Context::from_waker(Waker::noop()));
        }
        // What comes after it in order sees what became of it.
        kv.put("after", &1).await.unwrap();
        let count = kv.count(&Default::default()).await.unwrap();
        assert!(count == 1 || count == 101, "{count}");
    }
}
