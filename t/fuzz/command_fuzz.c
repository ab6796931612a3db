
/*
 * Copyright (C) The nginx-osp authors
 */


/* sources: ngx_osp_rtmp_command.c ngx_osp_rtmp_amf.c */
/* sources: ngx_osp_rtmp_chunk.c ngx_osp_rtmp_track.c */


/*
 * A command, of type 17 if the first byte is odd.  Its strings lie inside of
 * the input, and what we answer can be read.
 */


#include "unit.h"
#include "ngx_osp_rtmp_command.h"


int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static void fuzz_inside(u_char *p, size_t size, ngx_str_t *str);
static void fuzz_answer(ngx_osp_rtmp_command_t *cmd);
static void fuzz_reread(u_char *p, u_char *last, ngx_osp_rtmp_name_e name);


static ngx_pool_t  *pool;


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    u_char                  *p;
    uint32_t                 value;
    ngx_int_t                rc;
    ngx_uint_t               i, event;
    const char              *error;
    ngx_osp_rtmp_command_t   cmd;

    ngx_str_t               *strings[] = {
        &cmd.text, &cmd.args, &cmd.stream, &cmd.publish_type,
        &cmd.connect.app, &cmd.connect.tc_url, &cmd.connect.flash_ver,
        &cmd.connect.swf_url, &cmd.connect.page_url, &cmd.connect.type,
        &cmd.connect.four_cc_list, &cmd.connect.video_four_cc_info_map,
        &cmd.connect.audio_four_cc_info_map, &cmd.info.level, &cmd.info.code,
        &cmd.info.description, &cmd.info.redirect, &cmd.info.redirect2
    };

    if (pool == NULL) {
        unit_init();
    }

    if (size == 0) {
        return 0;
    }

    pool = ngx_create_pool(16384, &unit_log);

    p = malloc(size);
    memcpy(p, data + 1, size - 1);

    error = NULL;

    rc = ngx_osp_rtmp_command_parse(p, size - 1, data[0] & 1 ? 17 : 20, &cmd,
                                    &error);

    if (rc == NGX_OK) {

        for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
            fuzz_inside(p, size - 1, strings[i]);
        }

        (void) ngx_osp_rtmp_info_is_error(&cmd.info);

        fuzz_answer(&cmd);

    } else if (error == NULL) {
        abort();
    }

    (void) ngx_osp_rtmp_user_control_parse(p, size - 1, &event, &value);

    free(p);
    ngx_destroy_pool(pool);

    return 0;
}


static void
fuzz_inside(u_char *p, size_t size, ngx_str_t *str)
{
    if (str->len == 0) {
        return;
    }

    if (str->data < p || str->len > size
        || str->data + str->len > p + size)
    {
        abort();
    }
}


static void
fuzz_answer(ngx_osp_rtmp_command_t *cmd)
{
    u_char              buf[NGX_OSP_RTMP_COMMAND_MAX * 2];
    ngx_osp_rtmp_out_t  out;

    out.pos = buf;
    out.end = buf + sizeof(buf);
    out.chunk_size = 128;
    out.track = NULL;

    if (ngx_osp_rtmp_write_connect_result(&out, cmd->tid, &cmd->connect)
        != NGX_OK)
    {
        abort();
    }

    fuzz_reread(buf, out.pos, NGX_OSP_RTMP_RESULT);

    out.pos = buf;

    if (ngx_osp_rtmp_write_on_status(&out, 1, "error", "NetStream.Failed",
                                     &cmd->stream)
        == NGX_OK)
    {
        fuzz_reread(buf, out.pos, NGX_OSP_RTMP_ON_STATUS);
    }
}


static void
fuzz_reread(u_char *p, u_char *last, ngx_osp_rtmp_name_e name)
{
    const char              *error;
    ngx_osp_rtmp_asm_t       a;
    ngx_osp_rtmp_item_t      item;
    ngx_osp_rtmp_reader_t   *r;
    ngx_osp_rtmp_command_t   cmd;
    ngx_osp_rtmp_message_t   msg;
    u_char                   part[NGX_OSP_RTMP_COMMAND_MAX];

    r = ngx_osp_rtmp_reader_create(pool);
    ngx_osp_rtmp_asm_init(&a, part, part + sizeof(part),
                          NGX_OSP_RTMP_SETUP_TYPES);

    while (ngx_osp_rtmp_reader_read(r, &p, last, &item) == NGX_OK) {

        if (ngx_osp_rtmp_asm_add(&a, &item, &msg) != NGX_OK) {
            continue;
        }

        if (ngx_osp_rtmp_command_parse(msg.payload, msg.len, msg.type, &cmd,
                                       &error)
            != NGX_OK
            || cmd.name != name
            || cmd.info.code.len == 0)
        {
            abort();
        }
    }

    if (p != last || !ngx_osp_rtmp_reader_idle(r)) {
        abort();
    }
}
