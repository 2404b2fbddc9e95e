# The layer table: what each module may include of ours, and of others.
#
# Read by understudy_module() at configure time (DEPS), and by tools/tidy for every #include.
# One line per module, in floor order. MAY names modules; every module may also include
# include/understudy/. FOREIGN names libraries as tools/tidy knows them; "fmt" is open to all.
# The folders without a line (tests, bench) may include everything, examples only the public API.

understudy_layer(NAME base       FLOOR 1 MAY FOREIGN xxhash)
understudy_layer(NAME runtime    FLOOR 2 MAY base FOREIGN)
understudy_layer(NAME wire       FLOOR 2 MAY base FOREIGN protobuf zlib zstd lz4 boost_json)
understudy_layer(NAME role       FLOOR 3 MAY base FOREIGN)
understudy_layer(NAME session    FLOOR 3 MAY base FOREIGN)
understudy_layer(NAME journal    FLOOR 3 MAY base runtime FOREIGN)
understudy_layer(NAME consensus  FLOOR 3 MAY base FOREIGN)
understudy_layer(NAME link       FLOOR 3 MAY base runtime wire FOREIGN)
understudy_layer(NAME raft       FLOOR 4 MAY base consensus FOREIGN libraft)
understudy_layer(NAME replicated FLOOR 4 MAY base runtime wire role session journal consensus link
                 FOREIGN)
understudy_layer(NAME replica    FLOOR 4 MAY base runtime wire role session journal consensus
                 FOREIGN)
understudy_layer(NAME registry   FLOOR 5 MAY base runtime wire role session journal consensus
                 replica FOREIGN)
understudy_layer(NAME record     FLOOR 5 MAY base runtime wire role session journal consensus
                 replica FOREIGN)
understudy_layer(NAME immortal   FLOOR 5 MAY base runtime wire role session journal consensus
                 replica FOREIGN)
understudy_layer(NAME broker     FLOOR 5 MAY base runtime wire role session journal consensus
                 replica FOREIGN)
understudy_layer(NAME partition  FLOOR 5 MAY base runtime wire role session journal consensus
                 replica FOREIGN)
understudy_layer(NAME client     FLOOR 6 MAY base runtime wire role session journal consensus link
                 replica registry record immortal broker partition FOREIGN)
understudy_layer(NAME gateway    FLOOR 6 MAY base runtime wire role session journal consensus link
                 registry record immortal broker partition FOREIGN proton beast boost_json)
understudy_layer(NAME hosting    FLOOR 7 MAY base runtime wire role session journal consensus link
                 replicated replica client FOREIGN)
understudy_layer(NAME node       FLOOR 8 MAY base runtime wire role session journal consensus link
                 raft replicated replica registry record immortal broker partition client hosting
                 gateway FOREIGN)
understudy_layer(NAME platform   FLOOR 9 MAY base runtime FOREIGN asio openssl spdlog prometheus)
understudy_layer(NAME sim        FLOOR 9 MAY base runtime wire role session journal consensus link
                 raft replicated replica registry record immortal broker partition client hosting
                 gateway node FOREIGN)
understudy_layer(NAME library    FLOOR 10 MAY base runtime wire role session journal consensus link
                 raft replicated replica registry record immortal broker partition client hosting
                 gateway node platform FOREIGN)
understudy_layer(NAME apps       FLOOR 10 MAY base runtime wire role session journal consensus link
                 raft replicated replica registry record immortal broker partition client hosting
                 gateway node platform library FOREIGN cli11 tomlplusplus libedit boost_json)
