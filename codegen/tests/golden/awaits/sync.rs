fn every_form(kv: &Kv) -> Result<u32, Error> {
    let one = kv.get("a")?;
    let two = kv
        .get("b")? // stays
        .unwrap_or(1);
    let three = kv
        .collection("a string with .await, async fn and kv_source")
        .get("c")
        // This stays too.
        ?;
    let four = kv.get::<BTreeMap<u8, u8>>("d") /* and this */ ?;
    let five = (kv.make)("e")?;
    let six = makers[0]("f")("g")?;
    let seven = kv.a_name_that_is_rather_long_so_that_the_chain_is_broken_by_rustfmt("h")?.and_then_a_method()?;
    for key in kv.keys()? {
        match kv.get(key) {
            Ok(_) => return other(kv.get("x")?, kv.get("y")?),
            Err(_) if !(kv.is_open()) => break,
            Err(_) => {}
        }
    }
    r#await(one)
}
