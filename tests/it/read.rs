use crate::world::Database;
use polars::prelude::*;
use spar::display::Table;
use std::time::{Duration, Instant};

fn frame(table: &Table) -> &DataFrame {
    table.frame()
}

#[test]
fn every_type_of_the_tables_comes_back_with_its_nulls() {
    let database = Database::fresh();
    let store = database.store();
    let table = store
        .query(
            "SELECT * FROM (VALUES \
             ('é', 1::int2, 2, 3::int8, 1.5::float4, 2.5::float8, 12345.678, true, DATE '2024-10-10', \
              TIMESTAMP '2024-10-10 11:17:26.5', TIMESTAMPTZ '2024-10-10 13:17:26.5+02'), \
             (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) \
             AS t(a, b, c, d, e, f, g, h, i, j, k)",
            &[],
        )
        .unwrap();
    let types: Vec<String> = frame(&table).dtypes().iter().map(|d| d.to_string()).collect();
    let time = "datetime[μs]";
    assert_eq!(types, ["str", "i32", "i32", "i64", "f64", "f64", "f64", "bool", "date", time, time]);
    assert!(frame(&table).columns().iter().all(|c| c.null_count() == 1));
    let text = table.to_string();
    assert_eq!(text.matches("2024-10-10 11:17:26.5").count(), 2, "{text}");
    assert!(text.contains("12\u{202f}345.678"), "{text}");
}

#[test]
fn decimal_numbers_become_the_nearest_float() {
    let store_of = Database::fresh();
    let store = store_of.store();
    for text in ["0", "0.1", "-0.000001", "1e20", "123456789012345678901234567890.5", "10000", "99990000", "-7.25"] {
        let table = store.query(&format!("SELECT '{text}'::numeric AS n"), &[]).unwrap();
        let read = frame(&table).column("n").unwrap().f64().unwrap().get(0).unwrap();
        assert_eq!(read, text.parse::<f64>().unwrap(), "{text}");
    }
    let table = store.query("SELECT 'NaN'::numeric AS n", &[]).unwrap();
    assert!(frame(&table).column("n").unwrap().f64().unwrap().get(0).unwrap().is_nan());
}

#[test]
fn an_empty_result_keeps_columns_and_types() {
    let database = Database::fresh();
    let table = database.store().query("SELECT 1 AS n, now() AS at, 'x'::text AS t WHERE false", &[]).unwrap();
    assert_eq!(table.height(), 0);
    assert_eq!(table.names(), ["n", "at", "t"]);
    assert_eq!(frame(&table).dtypes()[0], DataType::Int32);
}

#[test]
fn parameters_are_bound_and_names_may_repeat() {
    let database = Database::fresh();
    let hostile = "'; DROP TABLE x; --";
    let table = database.store().query("SELECT $1::text AS a, $2::int AS a, $1 = '' AS a", &[&hostile, &7]).unwrap();
    assert_eq!(table.names(), ["a", "a_2", "a_3"]);
    assert!(table.to_string().contains(hostile));
}

#[test]
fn a_column_that_has_no_place_in_a_table_is_named_with_a_way_out() {
    let database = Database::fresh();
    let error = database.store().query("SELECT '{}'::jsonb AS payload", &[]).unwrap_err().to_string();
    assert!(error.contains("payload") && error.contains("jsonb") && error.contains("payload::text"), "{error}");
}

#[test]
fn a_missing_table_says_which_notebook_makes_it() {
    let database = Database::fresh();
    let error = database.store().table("filtered_toots").unwrap_err();
    assert!(error.to_string().contains("run partie2 first"), "{error}");
    for name in ["a; DROP TABLE b", "A", "", "a\"b", "é", &"x".repeat(64)] {
        assert!(database.store().table(name).unwrap_err().is_invalid(), "{name:?}");
    }
}

#[test]
fn a_table_is_read_sorted() {
    let database = Database::fresh();
    let store = database.store();
    store.query("CREATE TABLE t AS SELECT n % 3 AS a, n AS b FROM generate_series(9, 1, -1) n", &[]).unwrap();
    let table = store.table("t").unwrap();
    let rows: Vec<(i32, i32)> = (0..9)
        .map(|row| {
            let value = |name: &str| frame(&table).column(name).unwrap().i32().unwrap().get(row).unwrap();
            (value("a"), value("b"))
        })
        .collect();
    assert!(rows.is_sorted());
    assert!(store.tables().unwrap().to_string().contains("9"));
}

#[test]
fn two_hundred_thousand_toots_are_read_in_seconds() {
    let database = Database::with_toots();
    database.execute(
        "INSERT INTO filtered_toots (toot_id, \"timestamp\", text, user_id, hashtags) \
         SELECT n::text, now()::timestamp, repeat('mot ', 20), (n % 500)::text, 'ai,robotics' \
         FROM generate_series(1, 200000) n",
    );
    let store = database.store();
    let start = Instant::now();
    let table = store.query("SELECT toot_id, \"timestamp\", text, user_id, hashtags FROM filtered_toots", &[]).unwrap();
    let took = start.elapsed();
    println!("200,000 toots read in {took:?}");
    assert_eq!(table.height(), 200_000);
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_stored_result_is_replaced_whole_and_comes_back_the_same() {
    let database = Database::fresh();
    let mut store = database.store();
    let days = Series::new("date".into(), [Some(20_000i32), None]).cast(&DataType::Date).unwrap();
    let at = Series::new("at".into(), [Some(1_728_559_046_500_000i64), None])
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        .unwrap();
    let first = Table::new(
        DataFrame::new(
            2,
            vec![
                Column::new("name".into(), [Some("é'\""), None]),
                Column::new("n".into(), [Some(-5i64), None]),
                Column::new("m".into(), [Some(7i32), None]),
                Column::new("x".into(), [Some(2.5f64), None]),
                Column::new("sure".into(), [Some(true), None]),
                days.into(),
                at.into(),
            ],
        )
        .unwrap(),
    );
    for _ in 0..3 {
        assert_eq!(store.write_table("partie3_test", &first).unwrap(), 2);
        let back = store.table("partie3_test").unwrap();
        assert_eq!(
            frame(&back).sort(["name"], Default::default()).unwrap(),
            frame(&first).sort(["name"], Default::default()).unwrap()
        );
    }
    let other = Table::of_text(&["other"], &[vec!["1".into()]]).unwrap();
    store.write_table("partie3_test", &other).unwrap();
    assert_eq!(store.table("partie3_test").unwrap().names(), ["other"]);
    store.write_table("partie3_test", &other.head(0)).unwrap();
    assert_eq!(store.table("partie3_test").unwrap().height(), 0);
}

#[test]
fn a_result_of_one_row_or_one_value_is_stored_too() {
    let database = Database::fresh();
    let mut store = database.store();
    let one = store.query("SELECT 'x'::text AS a, TIMESTAMP '2024-10-10' AS b, DATE '2024-10-10' AS c, 1 AS d", &[]);
    let one = one.unwrap();
    // A literal makes columns that hold their value once.
    let one = one.query(|t| t.with_columns([lit("y").alias("a"), col("b").first(), col("c").first()])).unwrap();
    store.write_table("r", &one).unwrap();
    assert_eq!(store.table("r").unwrap().frame(), one.frame());
}

#[test]
fn two_writers_at_once_leave_one_result() {
    let database = Database::fresh();
    let rows: Vec<Vec<String>> = (0..500).map(|n| vec![n.to_string()]).collect();
    let table = Table::of_text(&["n"], &rows).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(database.store().write_table("r", &table).unwrap(), 500)));
        }
    });
    assert_eq!(database.store().table("r").unwrap().height(), 500);
}

#[test]
fn a_table_of_somebody_else_is_not_replaced() {
    let database = Database::with_toots();
    database.execute("INSERT INTO filtered_toots (toot_id) VALUES ('1')");
    let table = Table::of_text(&["a"], &[]).unwrap();
    let error = database.store().write_table("filtered_toots", &table).unwrap_err();
    assert!(error.is_invalid(), "{error}");
    assert_eq!(database.store().table("filtered_toots").unwrap().height(), 1);
    let odd = Table::of_text(&["a b"], &[]).unwrap();
    assert!(database.store().write_table("r", &odd).unwrap_err().is_invalid());
}

#[test]
fn no_connection_outlives_its_work() {
    let database = Database::with_toots();
    let config = database.config();
    let mut topical = config.clone();
    topical.topic = crate::support::fresh_topic("closed");
    spar::kafka::create_topic(&topical).unwrap();
    spar::Store::connect(config).unwrap().query("SELECT 1/0", &[]).unwrap_err();
    drop(spar::History::load(config).unwrap());
    drop(spar::Charts::load(config).unwrap());
    spar::postgres::scoring::Scoring::open(config).unwrap().new_toots().unwrap();
    spar::Pipeline::quiet(&topical).unwrap().run_with(&spar::job::Control::quiet(), spar::Until::CaughtUp).unwrap();
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let url = config.database_url().unwrap();
    crate::support::eventually("every connection is closed", std::time::Duration::from_secs(20), || {
        crate::support::query(url, others) == ["0"]
    });
}
