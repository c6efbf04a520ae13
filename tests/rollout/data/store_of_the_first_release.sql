BEGIN TRANSACTION;
CREATE TABLE approval (
	id INTEGER NOT NULL, 
	rollout INTEGER NOT NULL, 
	actor VARCHAR NOT NULL, 
	act VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	reason TEXT NOT NULL, 
	signature VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(rollout) REFERENCES rollout (id), 
	UNIQUE (signature)
);
INSERT INTO "approval" VALUES(1,1,'anna','bootstrap','v1','2025-03-01 12:00:00.000000','It was looked at.','e7063d65c18ccf02d273126e6754865d9d357c087f08f634c4b3080817bf960a');
CREATE TABLE champion (
	model VARCHAR NOT NULL, 
	release VARCHAR NOT NULL, 
	previous VARCHAR, 
	since DATETIME NOT NULL, 
	epoch INTEGER NOT NULL, 
	PRIMARY KEY (model)
);
INSERT INTO "champion" VALUES('countenance','v1',NULL,'2025-03-01 12:00:00.000000',1);
CREATE TABLE decision (
	id INTEGER NOT NULL, 
	rollout INTEGER NOT NULL, 
	look INTEGER NOT NULL, 
	release VARCHAR NOT NULL, 
	first_at DATETIME NOT NULL, 
	last_at DATETIME NOT NULL, 
	requests INTEGER NOT NULL, 
	new_people INTEGER NOT NULL, 
	false_matches INTEGER NOT NULL, 
	false_non_matches INTEGER NOT NULL, 
	champion_false_matches INTEGER NOT NULL, 
	champion_false_non_matches INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (rollout, look, release), 
	FOREIGN KEY(rollout) REFERENCES rollout (id)
);
INSERT INTO "decision" VALUES(1,2,1,'v1','2025-03-01 12:01:00.000000','2025-03-01 12:21:00.123456',100,3,1,2,1,0);
INSERT INTO "decision" VALUES(2,2,2,'v1','2025-03-01 12:02:00.000000','2025-03-01 12:22:00.123456',100,3,1,2,1,0);
INSERT INTO "decision" VALUES(3,2,2,'v2','2025-03-01 12:02:00.000000','2025-03-01 12:22:00.123456',100,3,1,2,1,0);
CREATE TABLE event (
	sequence INTEGER NOT NULL, 
	model VARCHAR NOT NULL, 
	rollout INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR NOT NULL, 
	payload TEXT NOT NULL, 
	previous_hash VARCHAR NOT NULL, 
	hash VARCHAR NOT NULL, 
	PRIMARY KEY (sequence), 
	FOREIGN KEY(rollout) REFERENCES rollout (id), 
	UNIQUE (hash)
);
INSERT INTO "event" VALUES(1,'countenance',1,'2025-03-01 12:00:00.000000','approved','{"act":"bootstrap","actor":"anna","reason":"It was looked at.","signature":"e7063d65c18ccf02d273126e6754865d9d357c087f08f634c4b3080817bf960a","signed_at":"2025-03-01T12:00:00+00:00","subject":"v1"}','0000000000000000000000000000000000000000000000000000000000000000','38dd7e0b7c8311da0c7c3989ca882969ccdf3038427af33a7ba3114dd82a9590');
INSERT INTO "event" VALUES(2,'countenance',1,'2025-03-01 12:00:00.000000','bootstrapped','{"actions":[{"do":"Promote","over":null,"release":"v1"},{"do":"Notify","message":"anna signed ''v1'' as the first champion: It was looked at.","release":"v1"}],"champion":null,"from":null,"offline":[{"detail":"TAR 0.99 at FAR 0.001","name":"accuracy","passed":true}],"reason":"anna signed ''v1'' as the first champion: It was looked at.","registration":[{"detail":"every file has its hash","name":"sha256","passed":true}],"release":"v1","share":1.0,"stage":"PROMOTED","step":0}','38dd7e0b7c8311da0c7c3989ca882969ccdf3038427af33a7ba3114dd82a9590','6ea55962b200fe2817e2a795a6333eb343e3d782230896e34c5646fbb873f977');
INSERT INTO "event" VALUES(3,'countenance',2,'2025-03-01 12:00:00.000000','started','{"actions":[],"champion":"v1","evidence_key":"key","from":null,"policy_hash":"3f78ad6ea15cdaea1280816f2f0de79a1c78e5f7ec5aaa81516abf658e5f32a5","reason":"''v2'' was registered as a candidate against champion ''v1''.","release":"v2","share":0.0,"stage":"REGISTERED","step":0}','6ea55962b200fe2817e2a795a6333eb343e3d782230896e34c5646fbb873f977','61204d258ee0398ee4f69d2192b3b7417d3d044f97ce1b13353e4ba540d22fe8');
INSERT INTO "event" VALUES(4,'countenance',2,'2025-03-01 13:00:00.000000','moved','{"actions":[],"champion":"v1","from":"REGISTERED","reason":"Every registration gate passed.","release":"v2","share":0.0,"stage":"VALIDATING","step":0,"verdict":{"alpha":{"group_harm":0.025,"non_inferiority":0.05,"overall_harm":0.025},"disagreement":0.004975124378109453,"discordant":40,"groups":[{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"north","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"},{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"south","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"}],"labelled":8040,"log_group_harm":-0.5950382757076745,"log_harm":-3.062817293341634,"log_non_inferiority":63.79615229849818,"unlabelled_share":0.0}}','61204d258ee0398ee4f69d2192b3b7417d3d044f97ce1b13353e4ba540d22fe8','48fcb3c4ba1794a62e6f191faf51127e63f72dae9f87e8a241e0dfca8c4dd3b8');
INSERT INTO "event" VALUES(5,'countenance',2,'2025-03-01 13:00:00.000000','moved','{"actions":[{"do":"StartShadow","release":"v2"}],"champion":"v1","from":"VALIDATING","reason":"Every offline gate passed.","release":"v2","share":0.0,"stage":"SHADOW","step":0,"verdict":{"alpha":{"group_harm":0.025,"non_inferiority":0.05,"overall_harm":0.025},"disagreement":0.004975124378109453,"discordant":40,"groups":[{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"north","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"},{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"south","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"}],"labelled":8040,"log_group_harm":-0.5950382757076745,"log_harm":-3.062817293341634,"log_non_inferiority":63.79615229849818,"unlabelled_share":0.0}}','48fcb3c4ba1794a62e6f191faf51127e63f72dae9f87e8a241e0dfca8c4dd3b8','eaff81334fca13edf47ba359110951f900f6c52aeefaeaac5cf3fb26aafb7c0f');
INSERT INTO "event" VALUES(6,'countenance',2,'2025-03-01 13:00:00.000000','moved','{"actions":[{"do":"SetShare","release":"v2","share":0.05}],"champion":"v1","from":"SHADOW","reason":"No harm was shown in shadow (8040 labelled requests, 40 discordant, non-inferiority e-value 1e+28): 5% of the traffic.","release":"v2","share":0.05,"stage":"CANARY","step":0,"verdict":{"alpha":{"group_harm":0.025,"non_inferiority":0.05,"overall_harm":0.025},"disagreement":0.004975124378109453,"discordant":40,"groups":[{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"north","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"},{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"south","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"}],"labelled":8040,"log_group_harm":-0.5950382757076745,"log_harm":-3.062817293341634,"log_non_inferiority":63.79615229849818,"unlabelled_share":0.0}}','eaff81334fca13edf47ba359110951f900f6c52aeefaeaac5cf3fb26aafb7c0f','fc5f8b95cda7d851aa82e0a26eb2b71e69f86bd62b63061a25e494d1ed6a42ba');
INSERT INTO "event" VALUES(7,'countenance',2,'2025-03-01 13:00:00.000000','moved','{"actions":[{"do":"SetShare","release":"v2","share":0.25}],"champion":"v1","from":"CANARY","reason":"Non-inferiority holds (8040 labelled requests, 40 discordant, non-inferiority e-value 1e+28): 25% of the traffic.","release":"v2","share":0.25,"stage":"CANARY","step":1,"verdict":{"alpha":{"group_harm":0.025,"non_inferiority":0.05,"overall_harm":0.025},"disagreement":0.004975124378109453,"discordant":40,"groups":[{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"north","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"},{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"south","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"}],"labelled":8040,"log_group_harm":-0.5950382757076745,"log_harm":-3.062817293341634,"log_non_inferiority":63.79615229849818,"unlabelled_share":0.0}}','fc5f8b95cda7d851aa82e0a26eb2b71e69f86bd62b63061a25e494d1ed6a42ba','d99dca2fcc8f52146c44d376a0495ebb63d1d294d0d48189b7eba5bde261b0c5');
INSERT INTO "event" VALUES(8,'countenance',2,'2025-03-01 13:00:00.000000','moved','{"actions":[{"do":"SetShare","release":"v2","share":0.25}],"champion":"v1","from":"CANARY","reason":"The last canary step is clean (8040 labelled requests, 40 discordant, non-inferiority e-value 1e+28): 25% of the traffic.","release":"v2","share":0.25,"stage":"BAKING","step":1,"verdict":{"alpha":{"group_harm":0.025,"non_inferiority":0.05,"overall_harm":0.025},"disagreement":0.004975124378109453,"discordant":40,"groups":[{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"north","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"},{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"south","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"}],"labelled":8040,"log_group_harm":-0.5950382757076745,"log_harm":-3.062817293341634,"log_non_inferiority":63.79615229849818,"unlabelled_share":0.0}}','d99dca2fcc8f52146c44d376a0495ebb63d1d294d0d48189b7eba5bde261b0c5','638ebbb3a8f7597783dc9c98f47a20ce45da40ccc0e73fd3f367e3d4ea994bfe');
CREATE TABLE evidence (
	id INTEGER NOT NULL, 
	rollout INTEGER NOT NULL, 
	look INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	stage VARCHAR NOT NULL, 
	stage_key VARCHAR NOT NULL, 
	share FLOAT NOT NULL, 
	measured TEXT NOT NULL, 
	verdict TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (rollout, look), 
	FOREIGN KEY(rollout) REFERENCES rollout (id)
);
INSERT INTO "evidence" VALUES(1,2,1,'2025-03-01 13:00:00.000000','SHADOW','shadow',0.0,'{"disagreed":40,"due":8040,"false_matches":{},"groups":{"north":{"better":15,"same":4000,"worse":5},"south":{"better":15,"same":4000,"worse":5}},"key":"key","labelled_by_stage":{"baking":10000,"canary:1":10000,"canary:2":10000,"shadow":10000},"overall":{"better":30,"same":8000,"worse":10},"scored":8040}','{"alpha":{"group_harm":0.025,"non_inferiority":0.05,"overall_harm":0.025},"disagreement":0.004975124378109453,"discordant":40,"groups":[{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"north","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"},{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"south","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"}],"labelled":8040,"log_group_harm":-0.5950382757076745,"log_harm":-3.062817293341634,"log_non_inferiority":63.79615229849818,"unlabelled_share":0.0}');
INSERT INTO "evidence" VALUES(2,2,2,'2025-03-01 13:00:00.000000','CANARY','canary:1',0.05,'{"disagreed":40,"due":8040,"false_matches":{},"groups":{"north":{"better":15,"same":4000,"worse":5},"south":{"better":15,"same":4000,"worse":5}},"key":"key","labelled_by_stage":{"baking":10000,"canary:1":10000,"canary:2":10000,"shadow":10000},"overall":{"better":30,"same":8000,"worse":10},"scored":8040}','{"alpha":{"group_harm":0.025,"non_inferiority":0.05,"overall_harm":0.025},"disagreement":0.004975124378109453,"discordant":40,"groups":[{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"north","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"},{"false_matches":{"better":0,"same":0,"worse":0},"log_harm":-0.5950382757076745,"name":"south","tally":{"better":15,"same":4000,"worse":5},"verdict":"clear"}],"labelled":8040,"log_group_harm":-0.5950382757076745,"log_harm":-3.062817293341634,"log_non_inferiority":63.79615229849818,"unlabelled_share":0.0}');
CREATE TABLE outbox (
	id INTEGER NOT NULL, 
	model VARCHAR NOT NULL, 
	event INTEGER NOT NULL, 
	alias VARCHAR NOT NULL, 
	release VARCHAR, 
	created_at DATETIME NOT NULL, 
	projected_at DATETIME, 
	PRIMARY KEY (id), 
	FOREIGN KEY(event) REFERENCES event (sequence)
);
INSERT INTO "outbox" VALUES(1,'countenance',2,'champion','v1','2025-03-01 12:00:00.000000',NULL);
INSERT INTO "outbox" VALUES(2,'countenance',5,'shadow','v2','2025-03-01 13:00:00.000000',NULL);
INSERT INTO "outbox" VALUES(3,'countenance',6,'canary','v2','2025-03-01 13:00:00.000000',NULL);
INSERT INTO "outbox" VALUES(4,'countenance',6,'shadow',NULL,'2025-03-01 13:00:00.000000',NULL);
CREATE TABLE rollout (
	id INTEGER NOT NULL, 
	model VARCHAR NOT NULL, 
	release VARCHAR NOT NULL, 
	champion VARCHAR, 
	policy TEXT, 
	policy_hash VARCHAR, 
	stage VARCHAR NOT NULL, 
	state TEXT NOT NULL, 
	epoch INTEGER NOT NULL, 
	started_at DATETIME NOT NULL, 
	promoted_at DATETIME, 
	ended_at DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "rollout" VALUES(1,'countenance','v1',NULL,NULL,NULL,'PROMOTED','{"came_from":null,"champion":null,"deadline_at":"2025-03-01T12:00:00+00:00","entered_at":"2025-03-01T12:00:00+00:00","evidence_key":"","reason":"anna signed ''v1'' as the first champion: It was looked at.","release":"v1","share":1.0,"stage":"PROMOTED","started_at":"2025-03-01T12:00:00+00:00","step":0}',1,'2025-03-01 12:00:00.000000','2025-03-01 12:00:00.000000','2025-03-01 12:00:00.000000');
INSERT INTO "rollout" VALUES(2,'countenance','v2','v1','{"steps":[0.05,0.25],"alpha":0.05,"non_inferiority_margin":0.01,"shadow":{"labelled":400,"dwell":"PT0S"},"step":{"labelled":300,"dwell":"PT0S"},"bake":{"labelled":300,"dwell":"PT0S"},"label_delay":"PT6M","deadline":"P2D","maximum_disagreement":0.1,"maximum_unlabelled_share":0.3,"on_inconclusive":"hold","canary_needs_approval":false,"promotion_needs_approval":false,"false_match_tolerance":0.01,"guarded_groups":["north","south"],"group_minimum":100,"route_by":"subject"}','3f78ad6ea15cdaea1280816f2f0de79a1c78e5f7ec5aaa81516abf658e5f32a5','BAKING','{"came_from":null,"champion":"v1","deadline_at":"2025-03-03T12:00:00+00:00","entered_at":"2025-03-01T13:00:00+00:00","evidence_key":"key","reason":"The last canary step is clean (8040 labelled requests, 40 discordant, non-inferiority e-value 1e+28): 25% of the traffic.","release":"v2","share":0.25,"stage":"BAKING","started_at":"2025-03-01T12:00:00+00:00","step":1}',6,'2025-03-01 12:00:00.000000',NULL,NULL);
CREATE UNIQUE INDEX one_active_rollout_a_model ON rollout (model) WHERE ended_at IS NULL;
CREATE TRIGGER event_refuses_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the table event is append-only'); END;
CREATE TRIGGER event_refuses_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the table event is append-only'); END;
CREATE TRIGGER evidence_refuses_update BEFORE UPDATE ON evidence BEGIN SELECT RAISE(ABORT, 'the table evidence is append-only'); END;
CREATE TRIGGER evidence_refuses_delete BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'the table evidence is append-only'); END;
CREATE TRIGGER decision_refuses_update BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'the table decision is append-only'); END;
CREATE TRIGGER decision_refuses_delete BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'the table decision is append-only'); END;
CREATE TRIGGER approval_refuses_update BEFORE UPDATE ON approval BEGIN SELECT RAISE(ABORT, 'the table approval is append-only'); END;
CREATE TRIGGER approval_refuses_delete BEFORE DELETE ON approval BEGIN SELECT RAISE(ABORT, 'the table approval is append-only'); END;
COMMIT;
