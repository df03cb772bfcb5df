use super::*;

#[tokio::test]
async fn there_are_none() {
    let slow = Arc::new(Slow::default());
    let store = Timeout::new(Arc::clone(&slow), SHORT).unwrap().with_max_stragglers(1).unwrap();
    let kv = Kv::new(store);
    for _ in 0..3 {
        assert!(kv.put("k", &1).await.unwrap_err().outcome_unknown());
    }
    slow.open.store(true, Ordering::SeqCst);
    assert_eq!(kv.get::<u8>("k").await.unwrap(), None, "what was late was dropped");
}
