#[maybe_async::maybe_async]
async fn every_form(kv: &Kv) -> Result<u32, Error> {
    let one = kv.get("a").await?;
    let two = kv
        .get("b") // stays
        .await?
        .unwrap_or(1);
    let three = kv
        .collection("a string with .await, async fn and kv_source")
        .get("c")
        // This stays too.
        .await?;
    let four = kv.get::<BTreeMap<u8, u8>>("d").await /* and this */ ?;
    let five = (kv.make)("e").await?;
    let six = makers[0]("f")("g") . await ?;
    let seven = kv.a_name_that_is_rather_long_so_that_the_chain_is_broken_by_rustfmt("h").await?.and_then_a_method().await?;
    for key in kv.keys().await? {
        match kv.get(key).await {
            Ok(_) => return other(kv.get("x").await?, kv.get("y").await?).await,
            Err(_) if !(kv.is_open()) => break,
            Err(_) => {}
        }
    }
    r#await(one)
}
