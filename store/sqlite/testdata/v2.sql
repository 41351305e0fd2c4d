-- A store of schema 2, which has tokens. Never change this file:
-- it stands for the files that are out there.
PRAGMA application_id = 1447118669;
BEGIN TRANSACTION;
CREATE TABLE action (
    item    INTEGER PRIMARY KEY REFERENCES item (id) ON DELETE CASCADE,
    verb    TEXT NOT NULL,
    target  TEXT NOT NULL,
    receipt TEXT NOT NULL
) STRICT;
INSERT INTO "action" VALUES(1,'move','Traités','');
INSERT INTO "action" VALUES(2,'move','Traités','');
INSERT INTO "action" VALUES(3,'move','Traités','done Traités;UID=3');
INSERT INTO "action" VALUES(4,'move','Traités','');
INSERT INTO "action" VALUES(5,'move','Traités','');
INSERT INTO "action" VALUES(6,'move','Traités','');
INSERT INTO "action" VALUES(7,'move','Traités','');
INSERT INTO "action" VALUES(8,'move','Traités','');
INSERT INTO "action" VALUES(9,'move','Traités','');
CREATE TABLE connector (
    ord      INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    settings BLOB
) STRICT;
INSERT INTO "connector" VALUES(0,'main','smtp',0,X'7B22686F7374223A22736D74702E6D6F6E6461696E652E6578616D706C65227D');
CREATE TABLE document (
    item       INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE,
    ord        INTEGER NOT NULL,
    decision   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    key        TEXT NOT NULL,
    name       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size       INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    path       ANY,                    -- JSON array; NULL for none
    ref        TEXT NOT NULL,
    repairs    ANY,                    -- JSON array; NULL for none
    PRIMARY KEY (item, ord)
) STRICT, WITHOUT ROWID;
INSERT INTO "document" VALUES(1,0,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000000','facture n°0-0 été.pdf','application/pdf',30000,'0000000000000000000000000000000000000000000000000000000000000000','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=1","facture n°0-0 été.pdf"]','',NULL);
INSERT INTO "document" VALUES(2,0,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000010','facture n°1-0 été.pdf','application/pdf',30000,'0000000000000000000000000000000000000000000000000000000000000007','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=2","facture n°1-0 été.pdf"]','',NULL);
INSERT INTO "document" VALUES(3,0,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000020','facture n°2-0 été.pdf','application/pdf',30000,'000000000000000000000000000000000000000000000000000000000000000e','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=3","facture n°2-0 été.pdf"]','',NULL);
INSERT INTO "document" VALUES(5,0,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000040','facture n°4-0 été.pdf','application/pdf',30000,'000000000000000000000000000000000000000000000000000000000000001c','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=5","facture n°4-0 été.pdf"]','',NULL);
INSERT INTO "document" VALUES(6,0,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000050','facture n°5-0 été.pdf','application/pdf',30000,'0000000000000000000000000000000000000000000000000000000000000023','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=6","facture n°5-0 été.pdf"]','','["base64: 3 stray characters dropped"]');
INSERT INTO "document" VALUES(6,1,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000051','facture n°5-1 été.pdf','application/pdf',30000,'0000000000000000000000000000000000000000000000000000000000000024',X'04636166E9','',NULL);
INSERT INTO "document" VALUES(7,0,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000060','facture n°6-0 été.pdf','application/pdf',30000,'000000000000000000000000000000000000000000000000000000000000002a','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=7","facture n°6-0 été.pdf"]','',NULL);
INSERT INTO "document" VALUES(7,1,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000061','facture n°6-1 été.pdf','application/pdf',30000,'000000000000000000000000000000000000000000000000000000000000002b','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=7","facture n°6-1 été.pdf"]','',NULL);
INSERT INTO "document" VALUES(8,0,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000070','facture n°7-0 été.pdf','application/pdf',30000,'0000000000000000000000000000000000000000000000000000000000000031','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=8","facture n°7-0 été.pdf"]','',NULL);
INSERT INTO "document" VALUES(8,1,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000071','facture n°7-1 été.pdf','application/pdf',30000,'0000000000000000000000000000000000000000000000000000000000000032','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=8","facture n°7-1 été.pdf"]','',NULL);
INSERT INTO "document" VALUES(9,0,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000080','facture n°8-0 été.pdf','application/pdf',30000,'0000000000000000000000000000000000000000000000000000000000000038','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=9","facture n°8-0 été.pdf"]','',NULL);
INSERT INTO "document" VALUES(9,1,'accepted','taken by filter /.*\.(?!db).*/','0000000000000000000000000000000000000000000000000000000000000081','facture n°8-1 été.pdf','application/pdf',30000,'0000000000000000000000000000000000000000000000000000000000000039','["imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=9","facture n°8-1 été.pdf"]','',NULL);
CREATE TABLE item (
    id         INTEGER PRIMARY KEY,
    job        INTEGER NOT NULL REFERENCES job (id),
    state      TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    rules      TEXT NOT NULL,
    key        TEXT NOT NULL,          -- compared byte by byte: some sources tell keys apart by case only
    epoch      TEXT NOT NULL,
    size       INTEGER NOT NULL,
    time       INTEGER,
    seen       INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    reason     TEXT NOT NULL,
    changed    INTEGER,
    twin       TEXT NOT NULL,
    origin     TEXT NOT NULL,
    documents  INTEGER NOT NULL        -- how many rows of document belong to it; -1 when no manifest was recorded
) STRICT;
INSERT INTO "item" VALUES(1,1,'planned',0,'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=1','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000',40000,1772443800000000,0,'0.facture@mondaine.example','',1772443800000000,'0000000000000000000000000000000000000000000000000000000000000001','',1);
INSERT INTO "item" VALUES(2,1,'planned',0,'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=2','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000',40001,1772443860000000,0,'1.facture@mondaine.example','',1772443800000000,'0000000000000000000000000000000000000000000000000000000000000002','',1);
INSERT INTO "item" VALUES(3,1,'done',0,'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=3','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000',40002,1772443920000000,0,'2.facture@mondaine.example','',1772443800000000,'0000000000000000000000000000000000000000000000000000000000000003','',1);
INSERT INTO "item" VALUES(4,1,'planned',0,'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=4','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000',40003,1772443980000000,0,'3.facture@mondaine.example','',1772443800000000,'0000000000000000000000000000000000000000000000000000000000000004','',-1);
INSERT INTO "item" VALUES(5,1,'planned',0,'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=5','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000',40004,1772444040000000,0,'4.facture@mondaine.example','',1772443800000000,'0000000000000000000000000000000000000000000000000000000000000005','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=1',1);
INSERT INTO "item" VALUES(6,1,'planned',0,'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=6','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000',40005,1772444100000000,0,'5.facture@mondaine.example','',1772443800000000,'0000000000000000000000000000000000000000000000000000000000000006','',2);
INSERT INTO "item" VALUES(7,1,'planned',0,'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=7','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000',40006,1772444160000000,0,'6.facture@mondaine.example','',1772443800000000,'0000000000000000000000000000000000000000000000000000000000000007','',2);
INSERT INTO "item" VALUES(8,1,'planned',0,'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=8','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000',40007,1772444220000000,0,'7.facture@mondaine.example','',1772443800000000,'0000000000000000000000000000000000000000000000000000000000000008','',2);
INSERT INTO "item" VALUES(9,1,'planned',0,'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000/;UID=9','imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000',40008,1772444280000000,0,'8.facture@mondaine.example','',1772443800000000,'0000000000000000000000000000000000000000000000000000000000000009','',2);
CREATE TABLE job (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    fence  INTEGER NOT NULL,           -- rises with each lease; an older one may not write
    cursor TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO "job" VALUES(1,'factures',1,'uid:9');
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('ledger','JHALMNCG3K3PHWYNXB4TP5C2TW');
CREATE TABLE migration (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO "migration" VALUES(1,0,1,'2026-11-22 02:07:55');
INSERT INTO "migration" VALUES(2,1,1,'2026-11-22 02:07:55');
INSERT INTO "migration" VALUES(3,2,1,'2026-11-22 04:46:26');
CREATE TABLE service (
    name              TEXT PRIMARY KEY,
    default_connector TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "service" VALUES('mail','main');
CREATE TABLE service_instance (
    service   TEXT NOT NULL REFERENCES service (name) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    connector TEXT NOT NULL,
    PRIMARY KEY (service, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "service_instance" VALUES('mail','relances','main');
CREATE TABLE token (
    name  TEXT PRIMARY KEY,
    rev   INTEGER NOT NULL,
    value BLOB
) STRICT, WITHOUT ROWID;
INSERT INTO "token" VALUES('compta@mondaine.fr',2,X'015262C8A6B9B8372741B162B42E941DC218D2EAC1B47BF5B210D66D3978B43AD2EA7CAB18B6932A84D41C96DA70F38549E04217AF8B');
INSERT INTO "token" VALUES('parti',2,NULL);
CREATE UNIQUE INDEX item_key ON item (job, key);
CREATE INDEX item_twin ON item (job, twin) WHERE twin <> '';
CREATE INDEX item_origin ON item (job, origin, epoch) WHERE origin <> '';
CREATE INDEX item_unsettled ON item (job, key)
    WHERE state NOT IN ('done', 'held', 'deselected', 'quarantined', 'vanished');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('migration',3);
COMMIT;
