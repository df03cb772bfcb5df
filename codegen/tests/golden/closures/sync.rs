use std::ops::FnMut;

pub fn update<F, G>(kv: &Kv, mut change: F, init: G) -> u32
where
    F: FnMut(u32) -> u32,
    G: FnOnce() -> u32 + Send,
{
    let start = init();
    change(start)
}

fn callers(kv: &Kv, each: impl Fn(u32)) {
    each(1);
    update(kv, |x| x + fetch(x), || 1);
    update(kv, move |x: u32| -> u32 { kv.get(x) }, move || 1);
}
