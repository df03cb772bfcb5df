fn f() {
    let x = 'ab;
    "
}
