# sqlite with a write-ahead log: shared mappings, locks, truncation; a reader beside the writer.
mkdir /root/db && cd /root/db
sqlite3 db 'pragma journal_mode=wal; create table t(id integer primary key, batch int, text text); create index i on t(batch);'
batch() { # N: a hundred rows or none
    echo "begin; with recursive c(x) as (select 1 union all select x+1 from c where x<100) insert into t(batch, text) select $1, printf('row %d of %d', x, $1) from c; commit;"
}
(n=0; while [ ! -e done ]; do
    rows=$(sqlite3 -cmd '.timeout 10000' db 'select count(*) from t') || exit 1
    [ $((rows % 100)) = 0 ] || { echo "half a transaction was visible: $rows"; exit 1; }
    n=$((n + 1))
done; echo "the reader saw whole transactions only") &
for n in $(seq 1 60); do batch "$n"; done | sqlite3 -cmd '.timeout 10000' db
for n in $(seq 61 70); do batch "$n" | sqlite3 -cmd '.timeout 10000' db; done
touch done && wait
sqlite3 db 'select count(*), sum(batch), max(id) from t; pragma integrity_check; pragma wal_checkpoint(truncate);'
sqlite3 db 'delete from t where batch % 3 = 0; update t set text = upper(text) where batch % 5 = 0; vacuum; pragma integrity_check;'
sqlite3 db .dump | sha256sum
sqlite3 db 'pragma journal_mode=delete; drop index i; pragma integrity_check;'
ls; rm done
