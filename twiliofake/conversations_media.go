package twiliofake

import (
	"encoding/base64"
	"mime"
	"net/http"
)

// mediaRows are the files that messages of conversations carry, on
// mcs.us1.twilio.com, which twilio-go does not have. A file is uploaded as the
// body of a request and attached to a message by its SID. See
// https://www.twilio.com/docs/conversations/api/media-resource. Both links of a
// file lead to its content and, unlike Twilio's, want credentials. The content
// is kept in the state as base64, so that a saved state has its files.
func mediaRows() []resource {
	return []resource{
		{
			name: "conversation_media", host: "mcs", prefix: "ME", can: create | fetch,
			paths: []string{"/v1/Services/{service_sid}/Media/{sid}"},
			fields: []field{
				{"service_sid", text, nil, never},
				{"_content", text, "", never}, // base64
				{"author", text, nil, never},
				{"category", text, "media", never},
				{"channel_sid", text, nil, never},
				{"content_type", text, "application/octet-stream", never},
				{"date_upload_updated", instant, nil, never},
				{"filename", text, nil, never},
				{"is_multipart_upstream", boolean, false, never},
				{"message_sid", text, nil, never},
				{"size", integer, 0, never},
			},
			create: uploadMedia,
			view:   viewMedia,
		},
		{
			name: "conversation_media_content", host: "mcs", can: fetch, special: mediaContent,
			paths: []string{"/v1/Services/{service_sid}/Media/{media_sid}/Content"},
		},
	}
}

// uploadMedia keeps the body of a request. The media type is that of the
// request, and the name is the parameter Filename of the query. Chat's services
// have media too.
func uploadMedia(c *call, rec *record) *apiError {
	sid := c.vars["service_sid"]
	if c.account.child(servicesPath).find(sid, nil) == nil && c.one("chat_services", map[string]any{"sid": sid}) == nil {
		return notFound(c.path)
	}
	if len(c.body) == 0 {
		return invalid("The body holds no media")
	}
	if kind := c.header.Get("Content-Type"); kind != "" {
		if _, _, err := mime.ParseMediaType(kind); err != nil {
			return invalid("Content-Type %.100q is not a media type", kind)
		}
		rec.set("content_type", kind)
	}
	if name := c.query.Get("Filename"); name != "" {
		rec.set("filename", name)
	}
	rec.setAll(map[string]any{
		"_content": base64.StdEncoding.EncodeToString(c.body), "size": len(c.body), "date_upload_updated": rec.get("date_created"),
	})
	return nil
}

// viewMedia adds the links to a file's content. Both links are the same one.
func viewMedia(c *call, rec *record, m map[string]any) {
	content := c.itemURL(rec) + "/Content"
	m["links"] = map[string]any{"content": content, "content_direct_temporary": content}
}

// mediaContent answers with the bytes of a file, under the media type of its
// upload. A state document can hold content that is not base64; a request that
// reads it fails.
func mediaContent(c *call) (*response, *apiError) {
	b, err := base64.StdEncoding.DecodeString(c.parent.text("_content"))
	if err != nil {
		return nil, invalid("The _content of %s is not base64: %v", c.parent.id, err)
	}
	return &response{http.StatusOK, headers{"Content-Type", c.parent.text("content_type")}, b}, nil
}

// attach adds the file that MediaSid names to a message. The file then knows
// its message and conversation, and the message has a summary of the file. A
// file of another service is refused.
func (c *call) attach(message, conversation *record) *apiError {
	sid := c.form.Get("MediaSid")
	if sid == "" {
		return nil
	}
	media := c.one("conversation_media", map[string]any{"service_sid": conversation.text("chat_service_sid"), "sid": sid})
	if media == nil {
		return invalid("MediaSid %.40s is not a file of the conversation's service", sid)
	}
	c.set(media, map[string]any{"message_sid": message.id, "channel_sid": conversation.id})
	message.drop("MediaSid")
	message.set("media", []any{map[string]any{
		"sid": media.id, "size": media.get("size"), "content_type": media.get("content_type"),
		"filename": media.get("filename"), "category": media.get("category"),
	}})
	return nil
}

// detach deletes the files of a message. Files that are already gone are
// skipped.
func (c *call) detach(message *record) {
	files, _ := message.get("media").([]any)
	for _, f := range files {
		file, _ := f.(map[string]any)
		if media := c.one("conversation_media", map[string]any{"sid": textOf(file["sid"])}); media != nil {
			c.drop(media)
		}
	}
}
