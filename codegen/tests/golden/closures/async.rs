use std::ops::AsyncFnMut;

pub async fn update<F, G>(kv: &Kv, mut change: F, init: G) -> u32
where
    F: AsyncFnMut(u32) -> u32,
    G: AsyncFnOnce() -> u32 + Send,
{
    let start = init().await;
    change(start).await
}

async fn callers(kv: &Kv, each: impl AsyncFn(u32)) {
    each(1).await;
    update(kv, async |x| x + fetch(x).await, async || 1).await;
    update(kv, async move |x: u32| -> u32 { kv.get(x).await }, async move || 1).await;
}
