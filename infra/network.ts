import type { Network, Place } from "./types.ts";
import type { StageSettings } from "./settings.ts";

/** Ports of a media node. ECS maps a container's port once, whatever the protocol, so the load balancer's TCP has a port of its own. */
export const PORTS = { sip: 5060, tls: 5061, balancedTcp: 5062, relay: 5070, health: 8080 } as const;
/** Below Linux's ephemeral ports (32768 to 60999). */
export const RTP_PORTS = { first: 16_384, last: 32_767 } as const;

/** As the ECS guide has it, "Linux containers on AWS Fargate", and us-east-1's oldest, which has no Graviton. Names of zones differ between accounts, ids do not. */
const ZONES_WITHOUT_FARGATE = ["use1-az3", "usw1-az2", "apne1-az3", "cac1-az3"];

const ANYWHERE = "0.0.0.0/0";
const BLOCK = "10.0.0.0/16";

/**
 * A network with public subnets and nothing else: media goes between carriers and nodes without a hop of ours, and every node has a public address.
 * What may come in is said twice by groups: by the load balancer's and by the nodes'.
 */
export function network(place: Place, settings: StageSettings): Network {
	const { suffix, opts } = place;
	const tags = { Name: `${$app.name}-${$app.stage}` };
	const vpc = new aws.ec2.Vpc(`Vpc${suffix}`, { cidrBlock: BLOCK, enableDnsSupport: true, enableDnsHostnames: true, tags }, opts);
	const gateway = new aws.ec2.InternetGateway(`Gateway${suffix}`, { vpcId: vpc.id, tags }, opts);
	// Whoever forgets to name a group gets one that lets nothing through.
	new aws.ec2.DefaultSecurityGroup(`DefaultGroup${suffix}`, { vpcId: vpc.id, ingress: [], egress: [], tags }, opts);
	// Of any state: a zone that has a bad day must not move the others' subnets.
	const zones = aws.getAvailabilityZonesOutput(
		{ excludeZoneIds: ZONES_WITHOUT_FARGATE, filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }] },
		opts,
	);
	const zoneOf = (index: number) => zones.names.apply((names) => names[index] ?? `${place.region}: no zone ${index + 1}`);
	// AWS may list zones in another order some day: what is there is not made anew elsewhere for it.
	const staysWhereItIs = { ...opts, ignoreChanges: ["availabilityZone"] };
	const outbound = settings.sip.fixedOutboundAddresses
		? natGateways(place, { vpcId: vpc.id, internet: gateway, zoneOf, zones: settings.zones })
		: [];
	const ways: aws.ec2.RouteTableAssociation[] = [];
	const publicSubnets = Array.from({ length: settings.zones }, (_, index) => {
		const number = index + 1;
		const subnet = new aws.ec2.Subnet(
			`Public${suffix}${number}`,
			{ vpcId: vpc.id, cidrBlock: `10.0.${index * 16}.0/20`, availabilityZone: zoneOf(index), tags },
			staysWhereItIs,
		);
		const nat = outbound[index];
		const toCarriers = nat === undefined ? [] : settings.sip.networks.map((cidrBlock) => ({ cidrBlock, natGatewayId: nat.gateway.id }));
		const routes = [{ cidrBlock: ANYWHERE, gatewayId: gateway.id }, ...toCarriers];
		const table = new aws.ec2.RouteTable(`PublicRoutes${suffix}${number}`, { vpcId: vpc.id, routes, tags }, opts);
		ways.push(new aws.ec2.RouteTableAssociation(`PublicRoutesOf${suffix}${number}`, { subnetId: subnet.id, routeTableId: table.id }, opts));
		return subnet;
	});
	return {
		vpcId: vpc.id,
		publicSubnets,
		connected: [gateway, ...ways],
		...securityGroups(place, vpc.id, settings.sip.networks),
		outboundAddresses: outbound.map(({ address }) => address),
	};
}

/** RTP is taken from anywhere: carriers send it from more addresses than they publish, and a call's port takes one peer alone (docs/media.md). */
function securityGroups({ suffix, opts }: Place, vpcId: $util.Input<string>, networks: readonly string[]) {
	const cidrBlocks = networks.length === 0 ? [ANYWHERE] : [...networks];
	const fromCarriers = (description: string, protocol: string, fromPort: number, toPort = fromPort) => ({
		description,
		protocol,
		fromPort,
		toPort,
		cidrBlocks,
	});
	const anywhere = [{ description: "anywhere", protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: [ANYWHERE] }];
	const loadBalancerGroup = new aws.ec2.SecurityGroup(
		`SipBalancerGroup${suffix}`,
		{
			description: "SIP from carriers to the load balancer",
			vpcId,
			ingress: [fromCarriers("SIP over UDP", "udp", PORTS.sip), fromCarriers("SIP over TCP and TLS", "tcp", PORTS.sip, PORTS.tls)],
			egress: [{ description: "to the nodes", protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: [BLOCK] }],
		},
		opts,
	);
	const fromBalancer = (description: string, protocol: string, fromPort: number, toPort = fromPort) => ({
		description,
		protocol,
		fromPort,
		toPort,
		securityGroups: [loadBalancerGroup.id],
	});
	const nodeGroup = new aws.ec2.SecurityGroup(
		`NodeGroup${suffix}`,
		{
			description: "SIP and RTP to the media nodes",
			vpcId,
			ingress: [
				fromBalancer("SIP over UDP by the load balancer", "udp", PORTS.sip),
				fromBalancer("SIP over TCP and TLS by the load balancer", "tcp", PORTS.tls, PORTS.balancedTcp),
				fromBalancer("is the node alive?", "tcp", PORTS.health),
				fromCarriers("requests within calls, over UDP", "udp", PORTS.sip),
				fromCarriers("requests within calls, over TCP and TLS", "tcp", PORTS.sip, PORTS.tls),
				{ description: "RTP", protocol: "udp", fromPort: RTP_PORTS.first, toPort: RTP_PORTS.last, cidrBlocks: [ANYWHERE] },
				{ description: "SIP between nodes", protocol: "udp", fromPort: PORTS.relay, toPort: PORTS.relay, self: true },
			],
			egress: anywhere,
		},
		opts,
	);
	return { loadBalancerGroup, nodeGroup };
}

/**
 * For carriers that take calls from known addresses only: what nodes send to the carriers' own networks goes through a NAT gateway of the zone, which has a
 * fixed address; everything else, RTP included, goes straight out. The gateways are in subnets of their own, whose way out is the internet gateway.
 */
function natGateways(
	{ suffix, opts }: Place,
	given: { vpcId: $util.Input<string>; internet: aws.ec2.InternetGateway; zones: number; zoneOf(index: number): $util.Input<string> },
): { gateway: aws.ec2.NatGateway; address: aws.ec2.Eip }[] {
	const { vpcId, internet, zones, zoneOf } = given;
	const routes = new aws.ec2.RouteTable(`NatRoutes${suffix}`, { vpcId, routes: [{ cidrBlock: ANYWHERE, gatewayId: internet.id }] }, opts);
	return Array.from({ length: zones }, (_, index) => {
		const number = index + 1;
		const args = { vpcId, cidrBlock: `10.0.${240 + index}.0/28`, availabilityZone: zoneOf(index) };
		const subnet = new aws.ec2.Subnet(`Nat${suffix}${number}`, args, { ...opts, ignoreChanges: ["availabilityZone"] });
		new aws.ec2.RouteTableAssociation(`NatRoutesOf${suffix}${number}`, { subnetId: subnet.id, routeTableId: routes.id }, opts);
		const address = new aws.ec2.Eip(`OutboundAddress${suffix}${number}`, { domain: "vpc" }, opts);
		const gateway = new aws.ec2.NatGateway(
			`NatGateway${suffix}${number}`,
			{ subnetId: subnet.id, allocationId: address.allocationId },
			{ ...opts, dependsOn: [internet] },
		);
		return { gateway, address };
	});
}
