-- The tables of the project. Running this file again changes nothing; on a database of the original it adds the
-- missing columns. `schema.rs` runs it in one transaction, then restores lost keys and recomputes lost sums.
--
-- Event times (`timestamp`, `window_start`, `edited_at` …) are TIMESTAMP in UTC, as in the original. Times of our own
-- doing (`closed_at`, `updated_at` …) are TIMESTAMPTZ.

-- One row for each toot kept: the nine columns of the original, then ours.
CREATE TABLE IF NOT EXISTS filtered_toots (
    toot_id VARCHAR(255) PRIMARY KEY,
    timestamp TIMESTAMP,
    text TEXT,                  -- cleaned, lower case
    user_id VARCHAR(255),
    language VARCHAR(10),       -- primary part of the language tag
    hashtags TEXT,              -- joined with commas, in their original spelling; '' if none
    reblogs_count INTEGER,
    favourites_count INTEGER,
    replies_count INTEGER
);
ALTER TABLE filtered_toots
    ADD COLUMN IF NOT EXISTS content TEXT,          -- readable text, with case and emoji
    ADD COLUMN IF NOT EXISTS username TEXT,
    ADD COLUMN IF NOT EXISTS text_length INTEGER,   -- characters of `text`
    ADD COLUMN IF NOT EXISTS edited_at TIMESTAMP;   -- version: the newest wins, null is oldest

-- Toots already scored: copies, the rows of filtered_toots stay.
CREATE TABLE IF NOT EXISTS history_toots (
    toot_id VARCHAR(255) PRIMARY KEY,
    timestamp TIMESTAMP,
    text TEXT,
    user_id VARCHAR(255),
    language VARCHAR(10),
    hashtags TEXT,
    reblogs_count INTEGER,
    favourites_count INTEGER,
    replies_count INTEGER
);
ALTER TABLE history_toots
    ADD COLUMN IF NOT EXISTS content TEXT,
    ADD COLUMN IF NOT EXISTS username TEXT,
    ADD COLUMN IF NOT EXISTS text_length INTEGER,
    ADD COLUMN IF NOT EXISTS edited_at TIMESTAMP;

CREATE TABLE IF NOT EXISTS toots_sentiments (
    toot_id VARCHAR(255) PRIMARY KEY,
    text TEXT,
    prediction DOUBLE PRECISION,    -- 0, 2 or 4
    sentiment VARCHAR(20)           -- négatif, neutre, positif
);
ALTER TABLE toots_sentiments
    ADD COLUMN IF NOT EXISTS p_negative DOUBLE PRECISION,
    ADD COLUMN IF NOT EXISTS p_neutral DOUBLE PRECISION,
    ADD COLUMN IF NOT EXISTS p_positive DOUBLE PRECISION,
    ADD COLUMN IF NOT EXISTS probability DOUBLE PRECISION,  -- of the sentiment given
    ADD COLUMN IF NOT EXISTS model_version TEXT,
    ADD COLUMN IF NOT EXISTS scored_at TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS edited_at TIMESTAMP;   -- the version of the toot that was scored

-- Toots per window of event time, visible at once and corrected as toots arrive. A closed window is final but for
-- late toots, edits and deletes: those set revised_at.
CREATE TABLE IF NOT EXISTS toots_time_window_aggregates (
    window_start TIMESTAMP,
    window_end TIMESTAMP,
    total_toots INTEGER,
    PRIMARY KEY (window_start, window_end)
) WITH (fillfactor = 70);
ALTER TABLE toots_time_window_aggregates
    ADD COLUMN IF NOT EXISTS late_n INTEGER NOT NULL DEFAULT 0,     -- of total_toots, those that came late
    ADD COLUMN IF NOT EXISTS closed_at TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS closed_by TEXT,                        -- 'watermark' or 'idle'
    ADD COLUMN IF NOT EXISTS revised_at TIMESTAMPTZ;
CREATE INDEX IF NOT EXISTS toots_time_window_open ON toots_time_window_aggregates (window_end)
    WHERE closed_by IS DISTINCT FROM 'watermark';

-- Toots per window of other kinds, where the setting names some, by the same rules. `kind` is width, slide and key as the
-- setting spells them: '1h', '1h/15min by language', '1d by hashtag'. The keys of a row are compared byte by byte.
CREATE TABLE IF NOT EXISTS toot_windows (
    kind TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,      -- language or hashtag, in lower case; '' where all toots count together
    window_start TIMESTAMP NOT NULL,
    window_end TIMESTAMP NOT NULL,      -- not part of the window
    total_toots INTEGER NOT NULL,
    late_n INTEGER NOT NULL,            -- of total_toots, those in late_toots
    length_sum BIGINT NOT NULL,         -- characters of their texts
    average_length DOUBLE PRECISION,
    closed_at TIMESTAMPTZ,
    closed_by TEXT,                     -- 'watermark' or 'idle'
    revised_at TIMESTAMPTZ,             -- changed after it was closed
    PRIMARY KEY (kind, window_start, key)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS toot_windows_open ON toot_windows (window_end) WHERE closed_by IS DISTINCT FROM 'watermark';
CREATE INDEX IF NOT EXISTS toot_windows_idle ON toot_windows (window_end) WHERE closed_by = 'idle';

-- Averages over the whole life of the pipeline. Workers add to sum and count; the average is set by the same statement.
CREATE TABLE IF NOT EXISTS user_avg_length (
    user_id VARCHAR(255) PRIMARY KEY,
    average_length DOUBLE PRECISION
) WITH (fillfactor = 50);
ALTER TABLE user_avg_length
    ADD COLUMN IF NOT EXISTS length_sum BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS toots BIGINT NOT NULL DEFAULT 0;

CREATE TABLE IF NOT EXISTS hashtag_avg_length (
    hashtag VARCHAR(255) PRIMARY KEY,   -- lower case
    average_length DOUBLE PRECISION
) WITH (fillfactor = 50);
ALTER TABLE hashtag_avg_length
    ADD COLUMN IF NOT EXISTS length_sum BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS toots BIGINT NOT NULL DEFAULT 0;

-- Toots merged into a window that the watermark of their partition had already passed.
CREATE TABLE IF NOT EXISTS late_toots (
    toot_id VARCHAR(255) PRIMARY KEY,
    timestamp TIMESTAMP NOT NULL,
    window_start TIMESTAMP NOT NULL,
    window_end TIMESTAMP NOT NULL,
    lateness_seconds DOUBLE PRECISION NOT NULL,     -- how far behind the watermark
    topic TEXT NOT NULL,
    part INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL                -- Kafka's timestamp of the record
);

-- Toots dated more than five minutes after Kafka received them: kept apart, out of every other table.
CREATE TABLE IF NOT EXISTS quarantine (
    toot_id VARCHAR(255) PRIMARY KEY,
    timestamp TIMESTAMP NOT NULL,
    text TEXT,
    user_id VARCHAR(255),
    language VARCHAR(10),
    hashtags TEXT,
    content TEXT,
    edited_at TIMESTAMP,
    topic TEXT NOT NULL,
    part INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL
);

-- Records that cannot be read, with the reason. `bytes` is cut at 64 KiB, `size` is the whole length.
CREATE TABLE IF NOT EXISTS dead_letter (
    topic TEXT NOT NULL,
    part INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,
    toot_id TEXT,               -- when it could be told: a delete removes the letter too
    size BIGINT NOT NULL,
    bytes BYTEA,
    seen_by TEXT NOT NULL,
    PRIMARY KEY (topic, part, "offset")
);
CREATE INDEX IF NOT EXISTS dead_letter_toot ON dead_letter (toot_id) WHERE toot_id IS NOT NULL;

-- Toots that must stay away: a delete for good, a retract until a newer version comes.
CREATE TABLE IF NOT EXISTS tombstones (
    toot_id VARCHAR(255) PRIMARY KEY,
    deleted BOOLEAN NOT NULL,
    edited_at TIMESTAMP,        -- of a retract: the version taken back
    recorded_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Stretches of the public stream that were missed, as partie1 tells them on the topic of gaps.
CREATE TABLE IF NOT EXISTS gaps (
    gap_id TEXT PRIMARY KEY,
    source TEXT,
    from_id TEXT,
    to_id TEXT,
    from_time TIMESTAMPTZ,
    to_time TIMESTAMPTZ,
    reason TEXT,
    filled BOOLEAN NOT NULL DEFAULT false,
    detail TEXT NOT NULL,       -- the message itself
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- What was applied of each partition. It changes in the transaction of the rows it stands for; `epoch` fences an
-- owner that lost the partition without noticing.
CREATE TABLE IF NOT EXISTS stream_partition (
    pipeline TEXT NOT NULL,
    topic TEXT NOT NULL,
    part INTEGER NOT NULL,
    next_offset BIGINT NOT NULL,        -- first record not yet applied
    epoch BIGINT NOT NULL,              -- plus one at every take-over
    owner TEXT,
    max_event_time TIMESTAMPTZ,         -- the watermark is this minus the lateness
    last_key TEXT,                      -- of the record before next_offset: a topic created anew shows another one
    last_timestamp TIMESTAMPTZ,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, topic, part)
) WITH (fillfactor = 50);
ALTER TABLE stream_partition
    ADD COLUMN IF NOT EXISTS idle BOOLEAN NOT NULL DEFAULT false;   -- read to its end, and nothing came since

-- One row per batch, written in its transaction; the names are those of Spark's StreamingQueryProgress.
CREATE TABLE IF NOT EXISTS progress (
    name TEXT NOT NULL,                 -- the pipeline
    run_id TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL,
    num_input_rows BIGINT NOT NULL,
    input_rows_per_second DOUBLE PRECISION,
    processed_rows_per_second DOUBLE PRECISION,
    batch_duration_ms BIGINT NOT NULL,
    duration_ms JSONB NOT NULL,
    watermark TIMESTAMPTZ,
    sources JSONB NOT NULL,
    observed_metrics JSONB NOT NULL,    -- the books of the batch
    PRIMARY KEY (name, run_id, batch_id)
);
CREATE INDEX IF NOT EXISTS progress_recent ON progress (name, batch_id);

-- What the database knows about itself: the source of its toots, the version of this file, and the rules that the
-- tables are made with (languages, window_seconds, lateness_seconds, windows): whatever writes them goes by these.
CREATE TABLE IF NOT EXISTS about (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Both toot tables, each toot once, with its sentiment if any.
CREATE OR REPLACE VIEW all_toots AS
    SELECT t.toot_id, t.timestamp, t.text, t.user_id, t.language, t.hashtags,
           t.reblogs_count, t.favourites_count, t.replies_count,
           t.content, t.username, coalesce(t.text_length, char_length(t.text)) AS text_length, t.edited_at,
           s.prediction, s.sentiment
    FROM (
        SELECT toot_id, timestamp, text, user_id, language, hashtags, reblogs_count, favourites_count, replies_count,
               content, username, text_length, edited_at
        FROM filtered_toots
        UNION ALL
        SELECT toot_id, timestamp, text, user_id, language, hashtags, reblogs_count, favourites_count, replies_count,
               content, username, text_length, edited_at
        FROM history_toots h
        WHERE NOT EXISTS (SELECT FROM filtered_toots f WHERE f.toot_id = h.toot_id)
    ) t
    LEFT JOIN toots_sentiments s ON s.toot_id = t.toot_id;
