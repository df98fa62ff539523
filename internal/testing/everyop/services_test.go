//go:build everyop

package everyop

import (
	"github.com/twilio/twilio-go/client"
	accountsv1 "github.com/twilio/twilio-go/rest/accounts/v1"
	apiv2010 "github.com/twilio/twilio-go/rest/api/v2010"
	bulkexportsv1 "github.com/twilio/twilio-go/rest/bulkexports/v1"
	chatv1 "github.com/twilio/twilio-go/rest/chat/v1"
	chatv2 "github.com/twilio/twilio-go/rest/chat/v2"
	chatv3 "github.com/twilio/twilio-go/rest/chat/v3"
	contentv1 "github.com/twilio/twilio-go/rest/content/v1"
	contentv2 "github.com/twilio/twilio-go/rest/content/v2"
	conversationsv1 "github.com/twilio/twilio-go/rest/conversations/v1"
	conversationsv2 "github.com/twilio/twilio-go/rest/conversations/v2"
	eventsv1 "github.com/twilio/twilio-go/rest/events/v1"
	flexv1 "github.com/twilio/twilio-go/rest/flex/v1"
	flexv2 "github.com/twilio/twilio-go/rest/flex/v2"
	frontlinev1 "github.com/twilio/twilio-go/rest/frontline/v1"
	iamv1 "github.com/twilio/twilio-go/rest/iam/v1"
	insightsv1 "github.com/twilio/twilio-go/rest/insights/v1"
	insightsv2 "github.com/twilio/twilio-go/rest/insights/v2"
	insightsv3 "github.com/twilio/twilio-go/rest/insights/v3"
	intelligencev2 "github.com/twilio/twilio-go/rest/intelligence/v2"
	intelligencev3 "github.com/twilio/twilio-go/rest/intelligence/v3"
	ipmessagingv1 "github.com/twilio/twilio-go/rest/ip_messaging/v1"
	ipmessagingv2 "github.com/twilio/twilio-go/rest/ip_messaging/v2"
	knowledgev1 "github.com/twilio/twilio-go/rest/knowledge/v1"
	knowledgev2 "github.com/twilio/twilio-go/rest/knowledge/v2"
	lookupsv1 "github.com/twilio/twilio-go/rest/lookups/v1"
	lookupsv2 "github.com/twilio/twilio-go/rest/lookups/v2"
	marketplacev1 "github.com/twilio/twilio-go/rest/marketplace/v1"
	memoryv1 "github.com/twilio/twilio-go/rest/memory/v1"
	messagingv1 "github.com/twilio/twilio-go/rest/messaging/v1"
	messagingv2 "github.com/twilio/twilio-go/rest/messaging/v2"
	messagingv3 "github.com/twilio/twilio-go/rest/messaging/v3"
	monitorv1 "github.com/twilio/twilio-go/rest/monitor/v1"
	notifyv1 "github.com/twilio/twilio-go/rest/notify/v1"
	numbersv1 "github.com/twilio/twilio-go/rest/numbers/v1"
	numbersv2 "github.com/twilio/twilio-go/rest/numbers/v2"
	numbersv3 "github.com/twilio/twilio-go/rest/numbers/v3"
	oauthv1 "github.com/twilio/twilio-go/rest/oauth/v1"
	oauthv2 "github.com/twilio/twilio-go/rest/oauth/v2"
	previewiamorganization "github.com/twilio/twilio-go/rest/preview_iam/organization"
	previewiamv1 "github.com/twilio/twilio-go/rest/preview_iam/v1"
	pricingv1 "github.com/twilio/twilio-go/rest/pricing/v1"
	pricingv2 "github.com/twilio/twilio-go/rest/pricing/v2"
	proxyv1 "github.com/twilio/twilio-go/rest/proxy/v1"
	routesv2 "github.com/twilio/twilio-go/rest/routes/v2"
	routesv3 "github.com/twilio/twilio-go/rest/routes/v3"
	serverlessv1 "github.com/twilio/twilio-go/rest/serverless/v1"
	studiov1 "github.com/twilio/twilio-go/rest/studio/v1"
	studiov2 "github.com/twilio/twilio-go/rest/studio/v2"
	supersimv1 "github.com/twilio/twilio-go/rest/supersim/v1"
	syncv1 "github.com/twilio/twilio-go/rest/sync/v1"
	taskrouterv1 "github.com/twilio/twilio-go/rest/taskrouter/v1"
	trunkingv1 "github.com/twilio/twilio-go/rest/trunking/v1"
	trusthubv1 "github.com/twilio/twilio-go/rest/trusthub/v1"
	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"
	videov1 "github.com/twilio/twilio-go/rest/video/v1"
	voicev1 "github.com/twilio/twilio-go/rest/voice/v1"
	voicev2 "github.com/twilio/twilio-go/rest/voice/v2"
	voicev3 "github.com/twilio/twilio-go/rest/voice/v3"
	wirelessv1 "github.com/twilio/twilio-go/rest/wireless/v1"
)

// services makes the ApiService of each package of twilio-go.
var services = map[string]func(*client.RequestHandler) any{
	"accounts/v1":              func(h *client.RequestHandler) any { return accountsv1.NewApiService(h) },
	"api/v2010":                func(h *client.RequestHandler) any { return apiv2010.NewApiService(h) },
	"bulkexports/v1":           func(h *client.RequestHandler) any { return bulkexportsv1.NewApiService(h) },
	"chat/v1":                  func(h *client.RequestHandler) any { return chatv1.NewApiService(h) },
	"chat/v2":                  func(h *client.RequestHandler) any { return chatv2.NewApiService(h) },
	"chat/v3":                  func(h *client.RequestHandler) any { return chatv3.NewApiService(h) },
	"content/v1":               func(h *client.RequestHandler) any { return contentv1.NewApiService(h) },
	"content/v2":               func(h *client.RequestHandler) any { return contentv2.NewApiService(h) },
	"conversations/v1":         func(h *client.RequestHandler) any { return conversationsv1.NewApiService(h) },
	"conversations/v2":         func(h *client.RequestHandler) any { return conversationsv2.NewApiService(h) },
	"events/v1":                func(h *client.RequestHandler) any { return eventsv1.NewApiService(h) },
	"flex/v1":                  func(h *client.RequestHandler) any { return flexv1.NewApiService(h) },
	"flex/v2":                  func(h *client.RequestHandler) any { return flexv2.NewApiService(h) },
	"frontline/v1":             func(h *client.RequestHandler) any { return frontlinev1.NewApiService(h) },
	"iam/v1":                   func(h *client.RequestHandler) any { return iamv1.NewApiService(h) },
	"insights/v1":              func(h *client.RequestHandler) any { return insightsv1.NewApiService(h) },
	"insights/v2":              func(h *client.RequestHandler) any { return insightsv2.NewApiService(h) },
	"insights/v3":              func(h *client.RequestHandler) any { return insightsv3.NewApiService(h) },
	"intelligence/v2":          func(h *client.RequestHandler) any { return intelligencev2.NewApiService(h) },
	"intelligence/v3":          func(h *client.RequestHandler) any { return intelligencev3.NewApiService(h) },
	"ip_messaging/v1":          func(h *client.RequestHandler) any { return ipmessagingv1.NewApiService(h) },
	"ip_messaging/v2":          func(h *client.RequestHandler) any { return ipmessagingv2.NewApiService(h) },
	"knowledge/v1":             func(h *client.RequestHandler) any { return knowledgev1.NewApiService(h) },
	"knowledge/v2":             func(h *client.RequestHandler) any { return knowledgev2.NewApiService(h) },
	"lookups/v1":               func(h *client.RequestHandler) any { return lookupsv1.NewApiService(h) },
	"lookups/v2":               func(h *client.RequestHandler) any { return lookupsv2.NewApiService(h) },
	"marketplace/v1":           func(h *client.RequestHandler) any { return marketplacev1.NewApiService(h) },
	"memory/v1":                func(h *client.RequestHandler) any { return memoryv1.NewApiService(h) },
	"messaging/v1":             func(h *client.RequestHandler) any { return messagingv1.NewApiService(h) },
	"messaging/v2":             func(h *client.RequestHandler) any { return messagingv2.NewApiService(h) },
	"messaging/v3":             func(h *client.RequestHandler) any { return messagingv3.NewApiService(h) },
	"monitor/v1":               func(h *client.RequestHandler) any { return monitorv1.NewApiService(h) },
	"notify/v1":                func(h *client.RequestHandler) any { return notifyv1.NewApiService(h) },
	"numbers/v1":               func(h *client.RequestHandler) any { return numbersv1.NewApiService(h) },
	"numbers/v2":               func(h *client.RequestHandler) any { return numbersv2.NewApiService(h) },
	"numbers/v3":               func(h *client.RequestHandler) any { return numbersv3.NewApiService(h) },
	"oauth/v1":                 func(h *client.RequestHandler) any { return oauthv1.NewApiService(h) },
	"oauth/v2":                 func(h *client.RequestHandler) any { return oauthv2.NewApiService(h) },
	"preview_iam/organization": func(h *client.RequestHandler) any { return previewiamorganization.NewApiService(h) },
	"preview_iam/v1":           func(h *client.RequestHandler) any { return previewiamv1.NewApiService(h) },
	"pricing/v1":               func(h *client.RequestHandler) any { return pricingv1.NewApiService(h) },
	"pricing/v2":               func(h *client.RequestHandler) any { return pricingv2.NewApiService(h) },
	"proxy/v1":                 func(h *client.RequestHandler) any { return proxyv1.NewApiService(h) },
	"routes/v2":                func(h *client.RequestHandler) any { return routesv2.NewApiService(h) },
	"routes/v3":                func(h *client.RequestHandler) any { return routesv3.NewApiService(h) },
	"serverless/v1":            func(h *client.RequestHandler) any { return serverlessv1.NewApiService(h) },
	"studio/v1":                func(h *client.RequestHandler) any { return studiov1.NewApiService(h) },
	"studio/v2":                func(h *client.RequestHandler) any { return studiov2.NewApiService(h) },
	"supersim/v1":              func(h *client.RequestHandler) any { return supersimv1.NewApiService(h) },
	"sync/v1":                  func(h *client.RequestHandler) any { return syncv1.NewApiService(h) },
	"taskrouter/v1":            func(h *client.RequestHandler) any { return taskrouterv1.NewApiService(h) },
	"trunking/v1":              func(h *client.RequestHandler) any { return trunkingv1.NewApiService(h) },
	"trusthub/v1":              func(h *client.RequestHandler) any { return trusthubv1.NewApiService(h) },
	"verify/v2":                func(h *client.RequestHandler) any { return verifyv2.NewApiService(h) },
	"video/v1":                 func(h *client.RequestHandler) any { return videov1.NewApiService(h) },
	"voice/v1":                 func(h *client.RequestHandler) any { return voicev1.NewApiService(h) },
	"voice/v2":                 func(h *client.RequestHandler) any { return voicev2.NewApiService(h) },
	"voice/v3":                 func(h *client.RequestHandler) any { return voicev3.NewApiService(h) },
	"wireless/v1":              func(h *client.RequestHandler) any { return wirelessv1.NewApiService(h) },
}
