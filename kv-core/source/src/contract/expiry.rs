//! T1, T3 to T7: when entries end.

use std::time::Duration;

use kv_core::{Atomicity, ErrorKind, Expiry, KeyFilter, Listing, PutItem, PutOptions, TimeLeft, Timestamp, Ttl, Value};

use super::case::{Case, Held, MINUTE, each, is, needs, ok, refused};

const MICROSECOND: Duration = Duration::from_micros(1);

/// T1: the instant stored is the clock's present one and the TTL, with part microseconds rounded up.
#[maybe_async::maybe_async]
pub async fn t1_instants_are_whole_microseconds(case: &Case<'_>) -> Held {
    let c = case.collection();
    let now = case.now();
    let at = |duration: Duration| now.saturating_add(duration);
    let nanoseconds = |n| MINUTE + Duration::from_nanos(n);
    for (ttl, expires) in [
        (Ttl::from(MINUTE), at(MINUTE)),
        (nanoseconds(1).into(), at(MINUTE + MICROSECOND)),
        (nanoseconds(999).into(), at(MINUTE + MICROSECOND)),
        (nanoseconds(1000).into(), at(MINUTE + MICROSECOND)),
        (nanoseconds(1001).into(), at(MINUTE + 2 * MICROSECOND)),
        (60.0.into(), at(MINUTE)),
        (60.1.into(), at(MINUTE + Duration::from_millis(100))),
        (60.000_000_5.into(), at(MINUTE + MICROSECOND)),
    ] {
        let outcome = ok(c.put_with("k", &1, &PutOptions::ttl(ttl)).await, "T1: put");
        assert_eq!(outcome.written().and_then(|written| written.expires()), Some(expires), "T1: put with {ttl}");
        if case.can.stores {
            let entry = ok(c.get_entry("k").await, "T1: get").expect("T1: it is there before its instant");
            assert_eq!(entry.expires(), Some(expires), "T1: the instant read, after put with {ttl}");
            let left = Some(TimeLeft::For(expires.duration_since(now)));
            is(c.ttl("k").await, left, "T1: ttl");
        }
    }
    if case.has_conditions().is_err() {
        return Ok(());
    }
    is(c.touch("k", nanoseconds(1)).await, true, "T1: touch");
    let entry = ok(c.get_entry("k").await, "T1: get").unwrap();
    assert_eq!(entry.expires(), Some(at(MINUTE + MICROSECOND)), "T1: the instant after touch");
    let instant = at(Duration::from_micros(3_600_000_007));
    is(c.expire_at("k", instant).await, true, "T1: expire_at");
    let entry = ok(c.get_entry("k").await, "T1: get").unwrap();
    assert_eq!(entry.expires(), Some(instant), "T1: the instant of expire_at");
    is(c.persist("k").await, true, "T1: persist");
    is(c.ttl("k").await, Some(TimeLeft::Forever), "T1: ttl after persist");
    Ok(())
}

/// T1, T7: the clock that was given judges, to the microsecond: there one before the instant, gone at it.
#[maybe_async::maybe_async]
pub async fn t1_the_given_clock_judges(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    assert_eq!(c.store().now(), case.now(), "T7: the store's present instant is the given clock's");
    let expires = case.now().saturating_add(MINUTE + MICROSECOND);
    ok(c.put_with("k", &1, &PutOptions::default().with_expiry(Expiry::At(expires))).await, "T1: put")
        .written()
        .unwrap();
    case.advance(MINUTE);
    is(c.ttl("k").await, Some(TimeLeft::For(MICROSECOND)), "T1: a microsecond before its instant");
    is(c.get::<i64>("k").await, Some(1), "T1: a microsecond before its instant");
    case.advance(MICROSECOND);
    is(c.get::<i64>("k").await, None::<i64>, "T1: at its instant");
    is(c.exists("k").await, false, "T1: at its instant");
    Ok(())
}

/// T3: no TTL is too short or too long: a nanosecond is a microsecond, and the last instant of year 9998 is taken.
#[maybe_async::maybe_async]
pub async fn t3_no_ttl_is_too_short_or_too_long(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let start = case.now();
    for (ttl, short) in [
        (Duration::from_nanos(1), true),
        (MICROSECOND, true),
        (Duration::from_millis(1), true),
        (Duration::from_secs(30 * 86_400), false),
        (Duration::from_secs(30 * 86_400 + 1), false),
        (Duration::from_secs(1 << 31), false),
        (Duration::from_secs(1 << 32), false),
        (Duration::from_secs(1000 * 365 * 86_400), false),
        (Timestamp::MAX.duration_since(start), false),
    ] {
        let expires = start.saturating_add(ttl);
        let outcome = ok(c.put_with("k", &1, &PutOptions::ttl(ttl)).await, "T3: put");
        assert_eq!(outcome.written().unwrap().expires(), Some(expires), "T3: put with {ttl:?}");
        if !short || case.expires_by_clock_alone() {
            is(c.ttl("k").await, Some(TimeLeft::For(expires.duration_since(start))), "T3: ttl");
            is(c.get::<i64>("k").await, Some(1), "T3: get");
        }
    }
    let far = Timestamp::from_micros(Timestamp::MAX.as_micros() - 1).unwrap();
    case.setting.clock.set(far);
    is(c.get::<i64>("k").await, Some(1), "T3: a microsecond before the last instant there is");
    case.setting.clock.set(Timestamp::MAX);
    is(c.get::<i64>("k").await, None::<i64>, "T3: at the last instant there is");
    Ok(())
}

/// T4: zero, negative, NaN, infinite and too long TTLs, and instants that have passed, are `InvalidTtl`, and nothing is
/// written.
#[maybe_async::maybe_async]
pub async fn t4_bad_ttls_are_refused(case: &Case<'_>) -> Held {
    let c = case.collection();
    ok(c.put("k", &1).await, "T4: put");
    let before = ok(c.get_entry("k").await, "T4: get").map(|entry| entry.revision());
    let years = 10_000.0 * 366.0 * 86_400.0;
    let now = case.now();
    let longest = Timestamp::MAX.duration_since(now);
    let bad = [0.0, -0.0, -1.0, -1e-300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, years];
    let bad = bad.into_iter().map(Expiry::after);
    let durations = [Duration::ZERO, Duration::MAX, longest + Duration::from_nanos(1), Duration::from_secs_f64(years)];
    let bad = bad.chain(durations.into_iter().map(Expiry::after));
    let passed = [now, Timestamp::from_micros(now.as_micros() - 1).unwrap(), Timestamp::UNIX_EPOCH, Timestamp::MIN];
    let value = Value::encode(&2).unwrap();
    for expiry in bad.chain(passed.map(Expiry::At)) {
        let options = PutOptions::default().with_expiry(expiry);
        let what = format!("T4: {expiry:?}");
        refused(c.put_with("k", &2, &options).await, ErrorKind::InvalidTtl, &what);
        refused(c.put_many(&[("new", 2), ("k", 2)], &options).await, ErrorKind::InvalidTtl, &what);
        let items = [PutItem::new("new", value.as_ref()), PutItem::new("k", value.as_ref()).with_expiry(expiry)];
        refused(c.put_items(&items, &PutOptions::default()).await, ErrorKind::InvalidTtl, &what);
        match expiry {
            Expiry::After(ttl) => drop(refused(c.touch("k", ttl).await, ErrorKind::InvalidTtl, &what)),
            Expiry::At(instant) => drop(refused(c.expire_at("k", instant).await, ErrorKind::InvalidTtl, &what)),
            _ => {}
        }
    }
    is(c.exists("new").await, false, "T4: nothing of a refused batch is written");
    let after = ok(c.get_entry("k").await, "T4: get").map(|entry| entry.revision());
    assert_eq!(before, after, "T4: nothing is written");
    Ok(())
}

/// T5: put without a TTL makes the entry permanent, whatever it was; so do put_many and get_and_put.
#[maybe_async::maybe_async]
pub async fn t5_put_without_a_ttl_makes_permanent(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let keys = ["put", "bytes", "many", "if", "replaced"];
    for key in keys {
        ok(c.put_with(key, &1, &PutOptions::ttl(MINUTE)).await, "T5: put").written().unwrap();
    }
    let written = ok(c.put("put", &2).await, "T5: put");
    assert_eq!(written.expires(), None, "T5: what put answers");
    ok(c.put_bytes("bytes", b"2").await, "T5: put_bytes");
    each(c.put_many(&[("many", 2)], &PutOptions::default()).await, "T5: put_many");
    if case.can.conditional == Atomicity::Unsupported {
        ok(c.put("if", &2).await, "T5: put");
        ok(c.put("replaced", &2).await, "T5: put");
    } else {
        ok(c.put_if_present("if", &2).await, "T5: put_if_present").expect("T5: it is present");
        is(c.get_and_put("replaced", &2).await, Some(1), "T5: get_and_put");
    }
    for key in keys {
        let left = ok(c.ttl(key).await, "T5: ttl");
        assert_eq!(left, Some(TimeLeft::Forever), "T5: {key}");
    }
    case.reach(case.now().saturating_add(10_000 * MINUTE));
    for key in keys {
        let there = ok(c.exists(key).await, "T5: exists");
        assert!(there, "T5: {key} is permanent");
    }
    Ok(())
}

/// T2, T5: a new TTL counts, longer or shorter than the one before, by put and by touch.
#[maybe_async::maybe_async]
pub async fn t5_a_new_ttl_takes_the_old_one_s_place(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    let minutes = |n: u32| PutOptions::ttl(n * MINUTE);
    for (key, first, second) in [("longer", 1, 3), ("shorter", 3, 1)] {
        ok(c.put_with(key, &1, &minutes(first)).await, "T5: put").written().unwrap();
        ok(c.put_with(key, &1, &minutes(second)).await, "T5: put").written().unwrap();
    }
    let touches = case.can.conditional != Atomicity::Unsupported;
    for (key, first, second) in [("touched longer", 1, 3), ("touched shorter", 3, 1)] {
        ok(c.put_with(key, &1, &minutes(first)).await, "T5: put").written().unwrap();
        if touches {
            is(c.touch(key, second * MINUTE).await, true, "T5: touch");
        } else {
            ok(c.put_with(key, &1, &minutes(second)).await, "T5: put").written().unwrap();
        }
    }
    case.reach(case.now().saturating_add(MINUTE));
    for (key, there) in [("longer", true), ("shorter", false), ("touched longer", true), ("touched shorter", false)] {
        let is_there = ok(c.exists(key).await, "T5: exists");
        assert_eq!(is_there, there, "T5: {key}, after a minute");
    }
    case.advance(2 * MINUTE);
    for key in ["longer", "touched longer"] {
        let there = ok(c.exists(key).await, "T5: exists");
        assert!(!there, "T5: {key}, after three minutes");
    }
    Ok(())
}

/// T6: cull frees what has expired, and tells how much; what is freed does not come back when the clock goes back.
#[maybe_async::maybe_async]
pub async fn t6_cull_frees_what_has_expired(case: &Case<'_>) -> Held {
    case.keeps()?;
    needs(case.can.cull, "its backend frees expired data alone")?;
    let start = case.now();
    for number in 0..30 {
        let c = case.kv.collection(format!("c{}", number % 3));
        let options = if number < 20 { PutOptions::ttl(MINUTE) } else { PutOptions::default() };
        ok(c.put_with(&number.to_string(), &number, &options).await, "T6: put").written().unwrap();
    }
    is(case.kv.cull().await, 0, "T6: cull before anything has expired");
    case.reach(start.saturating_add(MINUTE));
    is(case.kv.cull().await, 20, "T6: cull");
    is(case.kv.cull().await, 0, "T6: cull once more");
    if case.expires_by_clock_alone() {
        case.setting.clock.set(start);
    }
    for number in 0..30 {
        let there = ok(case.kv.collection(format!("c{}", number % 3)).exists(&number.to_string()).await, "T6: exists");
        assert_eq!(there, number >= 20, "T6: entry {number} after cull");
    }
    Ok(())
}

/// T6: a store in use does not grow for ever under entries that expire: writes free what has.
#[maybe_async::maybe_async]
pub async fn t6_writes_free_what_has_expired(case: &Case<'_>) -> Held {
    case.lists()?;
    needs(case.expires_by_clock_alone(), "its backend frees expired data alone")?;
    assert_ne!(case.can.listing, Listing::Unsupported);
    let c = case.collection();
    let start = case.now();
    const ROUNDS: usize = 30;
    const EACH: usize = 100;
    for round in 0..ROUNDS {
        let items: Vec<_> = (0..EACH).map(|number| (format!("{round}:{number}"), number)).collect();
        let (batch, single) = items.split_at(EACH / 2);
        each(c.put_many(batch, &PutOptions::ttl(MINUTE)).await, "T6: put_many");
        for (key, value) in single {
            ok(c.put_with(key, value, &PutOptions::ttl(MINUTE)).await, "T6: put").written().unwrap();
        }
        case.advance(2 * MINUTE);
    }
    // Seen from before any had expired, all that is still held is there.
    case.setting.clock.set(start);
    let held = ok(c.count(&KeyFilter::all()).await, "T6: count");
    let most = (ROUNDS * EACH / 2) as u64;
    assert!(held <= most, "T6: of {} entries, nearly all expired for long, {held} are still held", ROUNDS * EACH);
    Ok(())
}

/// T7: the instants of a record are the given clock's.
#[maybe_async::maybe_async]
pub async fn t7_created_is_the_given_clock_s_instant(case: &Case<'_>) -> Held {
    case.keeps()?;
    let c = case.collection();
    case.advance(Duration::from_micros(1_234_567));
    let created = case.now();
    ok(c.put("k", &1).await, "T7: put");
    each(c.put_many(&[("many", 1)], &PutOptions::default()).await, "T7: put_many");
    case.advance(MINUTE);
    for key in ["k", "many"] {
        let entry = ok(c.get_entry(key).await, "T7: get").unwrap();
        assert_eq!(entry.created(), Some(created), "T7: the created instant of {key}");
    }
    let noted = Timestamp::UNIX_EPOCH;
    let options = PutOptions::default().with_created(Some(noted));
    ok(c.put_with("k", &1, &options).await, "T7: put of a copy").written().unwrap();
    let entry = ok(c.get_entry("k").await, "T7: get").unwrap();
    assert_eq!(entry.created(), Some(noted), "T7: the created instant of a copy is the one given");
    Ok(())
}
